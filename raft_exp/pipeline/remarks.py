"""Remarks on the results of stages, which a run, a dry run and a plan print before anything is trained."""

from collections.abc import Iterator
from pathlib import Path

from raft_exp.core.records import Question, read_jsonl
from raft_exp.core.stage import Stage
from raft_exp.evaluation import long_references
from raft_exp.pipeline.config import Config, primary_of
from raft_exp.pipeline.store import Store

_QUESTIONS = 1000  # largest number of questions that are read


def remark(config: Config, stage: Stage, store: Store) -> str:
    """Returns a warning about the result of a stage, which the store has; "" for none."""
    return of_questions(config, store.obtain(stage)) if stage.name == "questions" else ""


def of_questions(config: Config, folder: Path) -> str:
    """Returns a line if the primary metric does not suit the length of the answers to the test questions; else "".

    `folder`: result folder of the stage `questions`.
    """
    metric = primary_of(config)["metric"]
    if metric not in long_references.WHOLE:
        return ""
    words = long_references.typical_words(_answers(folder, config.evaluation.split))
    return long_references.remark(metric, words, config.evaluation.judge is not None)


def _answers(folder: Path, split: str) -> Iterator[list[str]]:
    """Yields the answers of the first questions of a split."""
    of_split = (row for row in read_jsonl(folder / "questions.jsonl", Question) if row.split == split)
    for _, question in zip(range(_QUESTIONS), of_split, strict=False):
        yield question.answers
