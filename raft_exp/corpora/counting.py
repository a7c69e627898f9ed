"""Counts of records for a corpus that is read twice: once for its passages, once for its questions."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def counting(counts: Counter[str]) -> Iterator[Counter[str]]:
    """Yields an empty counter for one stream of records, and merges it into `counts` at the end.

    Each entry of `counts` becomes the larger of the two values, so that records that are read twice count once.
    """
    stream_counts: Counter[str] = Counter()
    try:
        yield stream_counts
    finally:
        counts |= stream_counts
