"""The rules by which a context is chosen: rows with gold, order of the passages. Pools are in `corpora/pools.py`.

Each choice depends on (seed, question id) alone, not on the number of workers or the order of the rows. So data sets
of a sweep are paired: the gold rows of p=0.4 are among those of p=0.6, the distractors of D=2 among those of D=3
(docs/explanation/raft-data-sets.md).
"""

from collections.abc import Iterable

import numpy as np

from raft_exp.core.sampling import HashSample, seeded_bits


def gold_rows(items: Iterable[str], p: float, seed: int) -> HashSample:
    """The rows whose context holds the gold: exactly round(p*n) of n; a smaller p gives a subset of a larger one."""
    return HashSample(items, lambda n: round(p * n), seed, "gold")


def shuffled(items: list[int], seed: int, item_id: str) -> list[int]:
    """The passages in an order drawn for (seed, question): every place is equally likely to hold the gold."""
    generator = np.random.default_rng(seeded_bits(seed, "order", item_id))
    return [items[place] for place in generator.permutation(len(items))]


def half_of_gold(gold: list[int], seed: int, item_id: str) -> list[int]:
    """Half of the gold passages, rounded down, drawn for (seed, question): never all of them, none of a single one."""
    generator = np.random.default_rng(seeded_bits(seed, "part", item_id))
    return [gold[place] for place in generator.permutation(len(gold))[: len(gold) // 2]]
