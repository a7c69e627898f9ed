"""The interfaces of a source of passages. A source ranks the passages of its pool for a question."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from raft_exp.core.records import Question

# Takes a question and yields the ordinals of all passages of the pool, best first. An ordinal is a position in the
# collection.
Ranker = Callable[[Question], Iterator[int]]


class Scored(Protocol):
    """A source that ranks by scores."""

    def ranked(self, question: Question) -> Iterator[tuple[int, float]]:
        """Yields the ordinals of all passages of the pool with their scores, best first."""


class Similarity(Scored, Protocol):
    """A source that ranks by similarity scores, and can score any passage."""

    def similarity(self, question: Question, ordinals: Iterable[int]) -> list[float]:
        """Returns the scores of passages, in or outside the pool. `ordinals`: positions in the collection."""


def without_scores(source: Similarity) -> Ranker:
    """Returns a ranker that ranks as `source` does and leaves out the scores."""
    return lambda question: (ordinal for ordinal, _ in source.ranked(question))
