"""Random choices that depend on seed and item, not on the order of items. Small samples are subsets of larger ones."""

import hashlib
from collections.abc import Callable, Iterable

import numpy as np

from raft_exp.core.errors import DataError


def seeded_bits(seed: int, purpose: str, item: str) -> int:
    """Returns 64 random bits for (seed, purpose, item): the first 64 bits of a SHA-256 hash."""
    key = f"{seed}|{purpose}|{item}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "little")


class HashSample:
    """A sample of exactly `count(n)` of n items: those with the smallest `seeded_bits`.

    With the same items, seed and purpose, a smaller sample is a subset of a larger one. The constructor needs 8 bytes
    for each of the n items, the object 8 bytes for each item of the sample. Raises DataError if equal bits of two items
    leave undecided which of them is in the sample.
    """

    def __init__(self, items: Iterable[str], count: Callable[[int], int], seed: int, purpose: str) -> None:
        numbers = np.fromiter((seeded_bits(seed, purpose, item) for item in items), dtype=np.uint64)
        self._seed, self._purpose = seed, purpose
        size = min(count(len(numbers)), len(numbers))
        limit = np.partition(numbers, size - 1)[size - 1] if size else np.uint64(0)
        self._drawn = np.sort(numbers[numbers <= limit]) if size else numbers[:0]
        if len(self._drawn) != size:
            raise DataError(f"seed: {seed} gives two items the same random number ({purpose}); use another seed")

    def __contains__(self, item: str) -> bool:
        bits = np.uint64(seeded_bits(self._seed, self._purpose, item))
        place = np.searchsorted(self._drawn, bits)
        return bool(place < len(self._drawn) and self._drawn[place] == bits)

    def __len__(self) -> int:
        return len(self._drawn)


def subsample(items: Iterable[str], most: int | None, seed: int) -> HashSample:
    """Returns a sample of at most `most` items (None: all). Smaller samples are subsets of larger ones."""
    return HashSample(items, lambda n: n if most is None else most, seed, "items")
