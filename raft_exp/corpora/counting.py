"""Counts of records that a corpus reads twice: once to stream passages, once to stream questions."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def counting(counts: Counter[str]) -> Iterator[Counter[str]]:
    """Yields the counter of one stream. At its end each entry of `counts` becomes the larger of its own value and that
    of the stream, so that records read twice count once.
    """
    stream_counts: Counter[str] = Counter()
    try:
        yield stream_counts
    finally:
        counts |= stream_counts
