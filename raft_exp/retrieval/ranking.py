"""The interface of a source of passages: a ranking for each question, with or without scores."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from raft_exp.core.records import Question

# Yields passage ordinals for a question, best first, each once, to the end of the pool.
Ranker = Callable[[Question], Iterator[int]]


class Similarity(Protocol):
    """A source that ranks by similarity scores."""

    def ranked(self, question: Question) -> Iterator[tuple[int, float]]:
        """Passage ordinals with their scores, best first, each once, to the end of the pool."""

    def similarity(self, question: Question, ordinals: Iterable[int]) -> list[float]:
        """Scores of passages of the collection, in or outside the pool."""


def without_scores(source: Similarity) -> Ranker:
    """The source's ranking."""
    return lambda question: (ordinal for ordinal, _ in source.ranked(question))
