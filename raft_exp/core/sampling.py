"""Random choices that depend on (seed, item) alone, never on the order; a smaller sample is part of a larger one."""

import hashlib
from collections.abc import Callable, Iterable

import numpy as np

from raft_exp.core.errors import DataError


def seeded_bits(seed: int, purpose: str, item: str) -> int:
    """64 random bits that belong to one item, one purpose and one seed."""
    named = f"{seed}|{purpose}|{item}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(named).digest()[:8], "little")


class HashSample:
    """Exactly `count` of the items: those with the smallest numbers. Fewer are always among more.

    Holds eight bytes an item while it is made and nothing afterwards, so that any number of items will do.
    """

    def __init__(self, items: Iterable[str], count: Callable[[int], int], seed: int, purpose: str) -> None:
        numbers = np.fromiter((seeded_bits(seed, purpose, item) for item in items), dtype=np.uint64)
        self._seed, self._purpose = seed, purpose
        self._count = min(count(len(numbers)), len(numbers))
        self._limit = int(np.partition(numbers, self._count - 1)[self._count - 1]) if self._count else -1
        if self._count and np.count_nonzero(numbers <= np.uint64(self._limit)) != self._count:
            raise DataError(f"two items have one number for {purpose!r} and seed {seed}; use another seed")

    def __contains__(self, item: str) -> bool:
        return seeded_bits(self._seed, self._purpose, item) <= self._limit

    def __len__(self) -> int:
        return self._count


def subsample(items: Iterable[str], most: int | None, seed: int) -> HashSample:
    """At most so many of the items; smaller sets are part of larger ones."""
    return HashSample(items, lambda n: n if most is None else most, seed, "items")
