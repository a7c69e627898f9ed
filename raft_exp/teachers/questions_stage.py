"""Stage `questions` of a corpus without questions: a teacher writes them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.core.collection import Passages
from raft_exp.core.schema import Count, KeyedWhenSet, Seed, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.corpora import CorpusConfig
from raft_exp.corpora.questions_stage import VERSION, tell_split
from raft_exp.teachers.model import ModelTeacher

if TYPE_CHECKING:
    from raft_exp.teachers.questions import PassageSample


@config_dataclass
class WrittenQuestionsStage:
    """Settings that change the questions of a teacher."""

    corpus: CorpusConfig
    teacher: ModelTeacher
    weights: dict[str, str]  # content hashes of a local model
    seed: Seed
    split_rules: KeyedWhenSet[Count] = 0  # split_units.RULES where documents may be too few for a split by document


# two more than for given questions: the gate recognises more refusals, and of several answering sentences the one
# closest to the question is quoted
@stage("questions", VERSION + 2, resumable=True)
def write_questions(config: WrittenQuestionsStage, *, passages: Path, out: Path) -> None:
    """Writes questions.jsonl, quarantine.jsonl, audit.json and counts.json, through the teacher's ledger."""
    from raft_exp.teachers.model import cleaner, identity
    from raft_exp.teachers.questions import AnswerCheck, QuestionWriting, finish
    from raft_exp.teachers.runner import TeacherRunner

    teacher, clean = config.teacher, cleaner(config.teacher)
    assert teacher.questions is not None, "`parse` of the config refuses a teacher without this task"
    model = identity(teacher, config.weights)
    sample = passage_sample(config, passages)
    writing, checking = QuestionWriting(teacher.questions, sample, out, clean), None
    TeacherRunner(teacher, model, writing, out).settle()
    writing.finish()
    if teacher.check:
        checking = AnswerCheck(teacher.check, passages, out, clean)
        TeacherRunner(teacher, model, checking, out).settle()
    splits = finish(out, passages, config.corpus, config.seed, teacher.min_kept, writing, checking)
    tell_split(out, config.corpus, sample.by, True, Passages(passages))
    figures = {"passages_asked": len(sample), "written": writing.tally.counts["kept"], **splits}
    (out / "counts.json").write_text(json.dumps({**dict(sorted(splits.items())), **figures}), encoding="utf-8")


def passage_sample(config: WrittenQuestionsStage, passages: Path) -> "PassageSample":
    """The passages that questions are written for."""
    from raft_exp.teachers.questions import PassageSample

    task = config.teacher.questions
    assert task is not None, "`parse` of the config refuses a teacher without this task"
    return PassageSample(Passages(passages), config.corpus, task, config.seed, enough=not config.split_rules)
