"""Stage `questions` of a corpus without questions: a teacher writes them."""

import json
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.schema import Seed, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.corpora import CorpusConfig
from raft_exp.corpora.questions_stage import VERSION
from raft_exp.teachers.model import ModelTeacher


@config_dataclass
class WrittenQuestionsStage:
    """Settings that change the questions of a teacher."""

    corpus: CorpusConfig
    teacher: ModelTeacher
    weights: dict[str, str]  # content hashes of a local model
    seed: Seed


# two more than for given questions: the gate recognises more refusals, and of several answering sentences the one
# closest to the question is quoted
@stage("questions", VERSION + 2, resumable=True)
def write_questions(config: WrittenQuestionsStage, *, passages: Path, out: Path) -> None:
    """Writes questions.jsonl, quarantine.jsonl, audit.json and counts.json, through the teacher's ledger."""
    from raft_exp.teachers.model import cleaner, identity
    from raft_exp.teachers.questions import AnswerCheck, PassageSample, QuestionWriting, finish
    from raft_exp.teachers.runner import TeacherRunner

    teacher, clean = config.teacher, cleaner(config.teacher)
    assert teacher.questions is not None, "`parse` of the config refuses a teacher without this task"
    model = identity(teacher, config.weights)
    sample = PassageSample(Passages(passages), config.corpus, teacher.questions, config.seed)
    writing, checking = QuestionWriting(teacher.questions, sample, out, clean), None
    TeacherRunner(teacher, model, writing, out).settle()
    writing.finish()
    if teacher.check:
        checking = AnswerCheck(teacher.check, passages, out, clean)
        TeacherRunner(teacher, model, checking, out).settle()
    splits = finish(out, passages, config.corpus, config.seed, teacher.min_kept, writing, checking)
    figures = {"passages_asked": len(sample), "written": writing.tally.counts["kept"], **splits}
    (out / "counts.json").write_text(json.dumps({**dict(sorted(splits.items())), **figures}), encoding="utf-8")
