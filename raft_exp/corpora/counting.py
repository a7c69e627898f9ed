"""Counts of a corpus whose records are streamed more than once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def counting(counts: Counter[str]) -> Iterator[Counter[str]]:
    """The counts of one stream; a second stream over the same records does not count them twice."""
    here: Counter[str] = Counter()
    try:
        yield here
    finally:
        counts |= here
