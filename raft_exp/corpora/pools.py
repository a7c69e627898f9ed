"""Pools of distractors: the passages that may be distractors of the questions of a split."""

from collections.abc import Iterable

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question

_BLOCK = 2**20  # passages whose splits are looked up at once


def document_splits(passages: Passages, questions: Iterable[Question]) -> np.ndarray:
    """Returns the split of each passage's document: shape (passages,), int8, 0 none, 1 train, 2 validation, 3 test.

    A question gives its split to the documents of its gold passages and of its published distractors. A document with
    questions of several splits is assigned to test before validation, and to validation before train, so no training
    distractor comes from a test document.

    If questions are split by smaller units (`split_units.py`), the units take the place of documents. With a split by
    question, no passage has a split.
    """
    if passages.shared:
        return np.zeros(len(passages), dtype=np.int8)
    owner: dict[int, int] = {}
    for question in questions:
        rank = {"train": 1, "validation": 2, "test": 3}[question.split]
        for passage_id in (*question.gold, *question.given):
            document = int(passages.units[passages.find(passage_id)])
            owner[document] = max(owner.get(document, 0), rank)
    splits = np.zeros(len(passages), dtype=np.int8)
    if not owner:
        return splits
    documents = np.array(sorted(owner), dtype=np.uint64)
    ranks = np.array([owner[document] for document in documents.tolist()], dtype=np.int8)
    for start in range(0, len(passages), _BLOCK):
        units = passages.units[start : start + _BLOCK]
        places = np.minimum(np.searchsorted(documents, units), len(documents) - 1)
        splits[start : start + _BLOCK] = np.where(documents[places] == units, ranks[places], 0)
    return splits


def pool(owners: np.ndarray, split: str) -> np.ndarray:
    """Returns the ordinals, ascending, of the passages that may be distractors for a split.

    These are the passages of the split and the passages without a split.
    """
    return np.flatnonzero((owners == 0) | (owners == {"train": 1, "validation": 2, "test": 3}[split]))
