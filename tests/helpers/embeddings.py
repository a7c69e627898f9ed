"""Vectors without a model, in folders as the embed stages write them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from raft_exp.core.collection import hash64
from raft_exp.core.records import Question
from raft_exp.retrieval.dense import IDS, VECTORS


def write(folder: Path, passages: np.ndarray, questions: Sequence[Question], asked: np.ndarray) -> dict[str, Path]:
    """`passages` and `asked`: one vector a row, of the passages and of the questions."""
    folders = {name: folder / f"embedded_{name}" for name in ("passages", "questions")}
    for name, vectors in (("passages", passages), ("questions", asked)):
        folders[name].mkdir(exist_ok=True)
        np.save(folders[name] / VECTORS, vectors.astype(np.float32))
    ids = np.array([hash64(question.id) for question in questions], dtype=np.uint64)
    order = np.argsort(ids).astype(np.uint64)
    np.save(folders["questions"] / IDS, np.stack([ids[order], order]))
    return folders


def question(name: str, gold: Sequence[str] = (), given: Sequence[str] = (), answer: str = "yes") -> Question:
    return Question(name, f"what of {name}?", [answer], list(gold), "train", list(given))
