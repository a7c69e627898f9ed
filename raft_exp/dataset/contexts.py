"""Rules for the contexts of training rows: which rows have gold, which rows refuse, and the order of the passages.

`corpora/pools.py` defines the pools of passages. Each choice depends only on (seed, question id), so the datasets of a
sweep are paired: the gold rows of p=0.4 are among those of p=0.6, and the distractors of D=2 among those of D=3
(docs/explanation/raft-data-sets.md).
"""

from collections.abc import Iterable

import numpy as np

from raft_exp.core.sampling import HashSample, seeded_bits


def gold_rows(items: Iterable[str], p: float, seed: int) -> HashSample:
    """Returns the questions whose rows have gold: exactly round(p*n) of the n question ids `items`.

    The rows of a smaller p are a subset of the rows of a larger p.
    """
    return HashSample(items, lambda n: round(p * n), seed, "gold")


def refusing_rows(items: Iterable[str], share: float, seed: int) -> HashSample:
    """Returns the questions whose rows learn to refuse: exactly round(share*n) of the n `items` without gold.

    The rows of a smaller share are a subset of the rows of a larger share.
    """
    return HashSample(items, lambda n: round(share * n), seed, "refuse")


def conflict_rows(items: Iterable[str], share: float, seed: int) -> HashSample:
    """Returns the questions that are chosen for a false passage: exactly round(share*n) of the n `items` with gold.

    The rows of a smaller share are a subset of the rows of a larger share.
    """
    return HashSample(items, lambda n: round(share * n), seed, "conflict")


def shuffled(items: list[int], seed: int, item_id: str) -> list[int]:
    """Returns the passages `items` in an order drawn by (seed, question id). Gold is equally likely at each place."""
    generator = np.random.default_rng(seeded_bits(seed, "order", item_id))
    return [items[place] for place in generator.permutation(len(items))]


def half_of_gold(gold: list[int], seed: int, item_id: str) -> list[int]:
    """Returns half of the gold passages, rounded down, drawn by (seed, question id); [] for a single gold passage."""
    generator = np.random.default_rng(seeded_bits(seed, "part", item_id))
    return [gold[place] for place in generator.permutation(len(gold))[: len(gold) // 2]]
