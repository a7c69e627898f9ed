"""The questions that a teacher writes targets for: those of training and validation, or those of the test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from raft_exp.core.records import Question, read_jsonl
from raft_exp.core.sampling import subsample
from raft_exp.core.schema import Positive, Seed, config_dataclass


@config_dataclass
class EvaluatedQuestions:
    """The questions that a study evaluates on. Their targets are compared with replies; no training reads them."""

    split: Literal["test", "validation"]
    max_items: Positive | None  # largest number of questions; null: all
    seed: Seed


def target_questions(folder: Path, evaluated: EvaluatedQuestions | None) -> Iterator[Question]:
    """Yields the training and validation questions; with `evaluated`, the questions of the evaluation in their place.

    `folder`: result folder of the stage `questions`.
    """
    if evaluated is None:
        return (question for question in _questions(folder) if question.split != "test")
    of_split = (question.id for question in _questions(folder) if question.split == evaluated.split)
    sample = subsample(of_split, evaluated.max_items, evaluated.seed)
    return (question for question in _questions(folder) if question.split == evaluated.split and question.id in sample)


def _questions(folder: Path) -> Iterator[Question]:
    return read_jsonl(folder / "questions.jsonl", Question)
