"""Counts of records for a corpus that is read twice: once for its passages, once for its questions."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def counting(counts: Counter[str]) -> Iterator[Counter[str]]:
    """Yields the counter for one stream. At the end, `counts` gets the larger value of each entry of both counters.

    So records that are read twice count once.
    """
    stream_counts: Counter[str] = Counter()
    try:
        yield stream_counts
    finally:
        counts |= stream_counts
