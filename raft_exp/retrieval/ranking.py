"""What a source of passages is: a ranking for each question, with or without scores."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from raft_exp.core.records import Question

# Yields passage ordinals for a question, best first, each once, until the pool is used up.
Ranker = Callable[[Question], Iterator[int]]


class Similarity(Protocol):
    """A source that ranks by a score."""

    def ranked(self, question: Question) -> Iterator[tuple[int, float]]:
        """Passage ordinals with their scores, best first, each once, until the pool is used up."""

    def similarity(self, question: Question, ordinals: Iterable[int]) -> list[float]:
        """Scores of any passages of the collection."""


def without_scores(source: Similarity) -> Ranker:
    """The source's ranking."""
    return lambda question: (ordinal for ordinal, _ in source.ranked(question))
