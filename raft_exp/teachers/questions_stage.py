"""Stage `questions` of a corpus that brings none: a teacher writes them."""

import json
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.schema import Seed, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.corpora import CorpusConfig
from raft_exp.corpora.questions_stage import VERSION
from raft_exp.teachers.model import ModelTeacher


@config_dataclass
class WrittenStage:
    """Settings that change the questions that a teacher writes."""

    corpus: CorpusConfig
    teacher: ModelTeacher
    weights: dict[str, str]  # content hashes of a local model
    seed: Seed


@stage("questions", VERSION, resumable=True)
def written(config: WrittenStage, *, passages: Path, out: Path) -> None:
    """Writes questions.jsonl, quarantine.jsonl, audit.json and counts.json, through the teacher's ledger."""
    from raft_exp.teachers import model
    from raft_exp.teachers import questions as teacher
    from raft_exp.teachers.runner import TeacherRunner

    how, clean = config.teacher, model.cleaner(config.teacher)
    assert how.questions is not None, "config.parse refuses a teacher without it"
    identity = model.identity(how, config.weights)
    chosen = teacher.PassageSample(Passages(passages), config.corpus, how.questions, config.seed)
    writing, checking = teacher.QuestionWriting(how.questions, chosen, out, clean), None
    TeacherRunner(how, identity, writing, out).settle()
    writing.finish()
    if how.check:
        checking = teacher.AnswerCheck(how.check, passages, out, clean)
        TeacherRunner(how, identity, checking, out).settle()
    splits = teacher.finish(out, passages, config.corpus, config.seed, how.min_kept, writing, checking)
    figures = {"passages_asked": len(chosen), "written": writing.tally.counts["kept"], **splits}
    (out / "counts.json").write_text(json.dumps({**dict(sorted(splits.items())), **figures}))
