"""RAFT's choice of passages: which rows keep their gold, which distractors stand beside it, and in which order.

Everything here is a function of (seed, question id), never of the other rows, the order or the workers; so
datasets of a sweep are paired: the gold rows of p=0.4 are among those of p=0.6, the distractors of D=2 among those
of D=3 (arXiv 2403.10131, section 3).
"""

from collections.abc import Iterable

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question
from raft_exp.core.sampling import HashSample, seeded_bits


def gold_rows(items: Iterable[str], p: float, seed: int) -> HashSample:
    """The rows whose context keeps its gold: exactly round(p*n) of them, nested in p."""
    return HashSample(items, lambda n: round(p * n), seed, "gold")


def shuffled(items: list[int], seed: int, item_id: str) -> list[int]:
    """A seeded order of the passages, so that gold is equally often at each place."""
    generator = np.random.default_rng(seeded_bits(seed, "order", item_id))
    return [items[place] for place in generator.permutation(len(items))]


def half_of_gold(gold: list[int], seed: int, item_id: str) -> list[int]:
    """Half of the gold passages, rounded down, drawn by chance: never all of them, and none of a single one."""
    generator = np.random.default_rng(seeded_bits(seed, "part", item_id))
    return [gold[place] for place in generator.permutation(len(gold))[: len(gold) // 2]]


def document_splits(passages: Passages, questions: Iterable[Question]) -> np.ndarray:
    """Shape (n passages,): which split owns each passage's document: 0 nobody, 1 train, 2 validation, 3 test.

    A document belongs to a split when one of the split's questions names a passage of it; test goes before
    validation, and validation before train, so that what is tested is never a training distractor.
    """
    owner: dict[int, int] = {}
    for question in questions:
        rank = {"train": 1, "validation": 2, "test": 3}[question.split]
        for passage_id in (*question.gold, *question.given):
            document = int(passages.documents[passages.find(passage_id)])
            owner[document] = max(owner.get(document, 0), rank)
    documents, inverse = np.unique(passages.documents, return_inverse=True)
    ranks = np.array([owner.get(int(document), 0) for document in documents], dtype=np.int8)
    return ranks[inverse]


def pool(owners: np.ndarray, split: str) -> np.ndarray:
    """Ordinals of the passages that may be distractors for a split: its own documents' and nobody's."""
    return np.flatnonzero((owners == 0) | (owners == {"train": 1, "validation": 2, "test": 3}[split]))


def check_enough(
    question: Question, chosen: list[int], wanted: int, pool_size: int, allow_fewer: bool, group: str = "dataset"
) -> None:
    """Raises DataError naming the counts when a question has too few distractors and fewer are not allowed."""
    if len(chosen) < wanted and not allow_fewer:
        raise DataError(
            f"question {question.id!r}: {len(chosen)} distractors left of {wanted} asked for (pool of {pool_size} "
            f"passages); lower {group}.num_distractors, bring more documents, or set {group}.allow_fewer=true"
        )
