"""Passages by their words: BM25 over the index that the stage `index` makes of the whole collection."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from raft_exp.core.records import Question
from raft_exp.retrieval.ranking import Ranker, without_scores
from raft_exp.retrieval.word_index import Postings


class Bm25:
    """Ranks a pool by BM25 score against the question; equal scores stand in the pool's order.

    How rare a word is, and how long a passage is beside the others, is counted over the whole collection: a passage
    has one score for a question, whatever the pool, and a ranking of a pool is that of the collection without the rest.
    """

    def __init__(self, indexed: Path, pool: np.ndarray) -> None:
        self._postings, self._pool = Postings(indexed), pool

    def ranked(self, question: Question) -> Iterator[tuple[int, float]]:
        """Ordinals of the whole pool with their scores, best first."""
        scores = self._postings.scores(question.question)[self._pool]
        given, size = 0, 32
        while given < len(self._pool):
            best = _top(scores, size)
            yield from zip(self._pool[best[given:]].tolist(), scores[best[given:]].tolist(), strict=True)
            given, size = len(best), size * 8

    def similarity(self, question: Question, ordinals: Iterable[int]) -> list[float]:
        """Scores of any passages, in the pool or not."""
        found: list[float] = self._postings.scores(question.question)[np.array([*ordinals], dtype=np.int64)].tolist()
        return found


def bm25_ranker(indexed: Path, pool: np.ndarray) -> Ranker:
    """Passages of the pool by BM25 score against the question; equal scores in the pool's order."""
    return without_scores(Bm25(indexed, pool))


def _top(scores: np.ndarray, size: int) -> np.ndarray:
    """Places of the `size` best scores and of all that tie with the last, best first; ties in rising place."""
    if size >= len(scores):
        places = np.arange(len(scores))
    else:
        places = np.flatnonzero(scores >= np.partition(scores, len(scores) - size)[len(scores) - size])
    return places[np.argsort(-scores[places], kind="stable")]
