"""Stage `questions` for a corpus without questions: a teacher model writes the questions."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, write_jsonl
from raft_exp.core.schema import Count, KeyedWhenSet, Seed, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.corpora import CorpusConfig
from raft_exp.corpora.questions_stage import VERSION, check_filled, tell_split
from raft_exp.teachers.model import ModelTeacher

if TYPE_CHECKING:
    from raft_exp.teachers.passage_sample import PassageSample


@config_dataclass
class WrittenQuestionsStage:
    """Settings that change the questions that a teacher writes."""

    corpus: CorpusConfig
    teacher: ModelTeacher
    weights: dict[str, str]  # content hashes of a local model
    seed: Seed
    split_rules: KeyedWhenSet[Count] = 0  # split_units.RULES if the split may be by section or passage, else 0


# Two above the version of published questions, for two changes: the gate recognises more refusals; where several
# sentences hold the answer, the evidence is the sentence most similar to question and answer.
@stage("questions", VERSION + 2, resumable=True)
def write_questions(config: WrittenQuestionsStage, *, passages: Path, out: Path) -> None:
    """Writes questions.jsonl, quarantine.jsonl, audit.json and counts.json.

    The teacher's replies are stored in its ledger, so that a run after a kill requests only the missing replies. Raises
    BudgetError where the teacher's budget is used up, ServerError where requests get no usable reply, and DataError
    where too few questions are usable.
    """
    from raft_exp.tasks.model import cleaner, identity
    from raft_exp.tasks.runner import TaskRunner
    from raft_exp.teachers.questions import AnswerCheck, QuestionWriting, finish

    teacher, clean = config.teacher, cleaner(config.teacher)
    assert teacher.questions is not None, "`parse` of the config refuses a teacher without this task"
    model = identity(teacher, config.weights)
    sample = passage_sample(config, passages)
    writing, checking = QuestionWriting(teacher.questions, sample, out, clean), None
    TaskRunner(teacher, model, writing, out).settle()
    writing.finish()
    if teacher.check:
        checking = AnswerCheck(teacher.check, passages, out, clean)
        TaskRunner(teacher, model, checking, out).settle()
    splits = finish(out, passages, config.corpus, config.seed, teacher.min_kept, writing, checking)
    tell_split(out, config.corpus, sample.by, True, Passages(passages))
    figures = {"passages_asked": len(sample), "written": writing.tally.counts["kept"], **splits}
    (out / "counts.json").write_text(json.dumps({**dict(sorted(splits.items())), **figures}), encoding="utf-8")


def passage_sample(config: WrittenQuestionsStage, passages: Path) -> "PassageSample":
    """Returns the passages, or pairs of passages, that the teacher writes questions for."""
    from raft_exp.teachers.passage_sample import PassageSample

    task = config.teacher.questions
    assert task is not None, "`parse` of the config refuses a teacher without this task"
    return PassageSample(Passages(passages), config.corpus, task, config.seed, enough=not config.split_rules)


def write_wordless(config: WrittenQuestionsStage, corpus: CorpusConfig, passages: Path, out: Path) -> None:
    """Writes questions.jsonl and split.json before the teacher is called, to check the splits.

    questions.jsonl has a question without text for each passage or pair that the teacher will get. `corpus` replaces
    the corpus settings of `config`. Raises DataError for a split without passages or pairs.
    """
    from raft_exp.teachers.passage_sample import name_of

    sample = passage_sample(replace(config, corpus=corpus), passages)
    splits = Counter(split for _, split in sample)
    _check_pairs(config, splits)
    check_filled(corpus, splits, sample.by)
    asked = (
        Question(f"about {name_of(group)}", "", [], [passage.id for passage in group], split) for group, split in sample
    )
    write_jsonl(out / "questions.jsonl", asked)
    with redirect_stderr(StringIO()):  # the stage itself prints the split
        tell_split(out, corpus, sample.by, True, Passages(passages))


def _check_pairs(config: WrittenQuestionsStage, splits: Mapping[str, int]) -> None:
    """Raises DataError if the task needs pairs of passages, and a split that a study needs has none."""
    task = config.teacher.questions
    if task is None or task.pairs is None:
        return
    for split in ("train", "test"):
        if not splits.get(split):
            raise DataError(
                f"teacher.questions.pairs.most_holders={task.pairs.most_holders}: no two {split} passages share a name "
                f"that at most {task.pairs.most_holders} passages have (pairs by split: {dict(splits)}); use "
                "task@teacher.questions=questions, add documents, or raise most_holders"
            )
