"""Counts of records that are streamed several times, once for passages and once for questions."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def counting(counts: Counter[str]) -> Iterator[Counter[str]]:
    """Gives a counter for one stream and merges it into `counts` by maximum, so that a second stream over the same
    records does not count them twice.
    """
    stream_counts: Counter[str] = Counter()
    try:
        yield stream_counts
    finally:
        counts |= stream_counts
