"""BM25 search. It reads the index of the whole collection, which stage `index` writes."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from raft_exp.core.records import Question
from raft_exp.retrieval.ranking import Ranker, without_scores
from raft_exp.retrieval.word_index import Postings

# Hits that are converted to Python numbers at once. All passages without a word of the question have the score 0, so
# the last block of equal scores may have millions of hits.
_CHUNK = 8_192


class Bm25:
    """Ranks the passages of a pool by BM25 score. Passages with equal scores keep the order of the pool.

    Document frequencies and the mean passage length are those of the whole collection, so that a passage has the same
    score in every pool. `indexed`: the folder of stage `index`. `pool`: passage ordinals.
    """

    def __init__(self, indexed: Path, pool: np.ndarray) -> None:
        self._postings, self._pool = Postings(indexed), pool

    def ranked(self, question: Question) -> Iterator[tuple[int, float]]:
        """Yields all ordinals of the pool with their scores, best first."""
        scores = self._postings.scores(question.question)
        if len(self._pool) < len(scores):
            scores = scores[self._pool]
        done, size = 0, 32
        while done < len(self._pool):
            best = _top(scores, size)
            for start in range(done, len(best), _CHUNK):
                part = best[start : start + _CHUNK]
                yield from zip(self._pool[part].tolist(), scores[part].tolist(), strict=True)
            done, size = len(best), size * 8

    def similarity(self, question: Question, ordinals: Iterable[int]) -> list[float]:
        """Returns the scores of passages, in or outside the pool. `ordinals`: positions in the collection."""
        scores: list[float] = self._postings.scores(question.question)[np.array([*ordinals], dtype=np.int64)].tolist()
        return scores


def bm25_ranker(indexed: Path, pool: np.ndarray) -> Ranker:
    """Returns a ranker that orders the pool as `Bm25` does, without scores."""
    return without_scores(Bm25(indexed, pool))


def _top(scores: np.ndarray, size: int) -> np.ndarray:
    """Returns the indices of the `size` best scores, and of all scores equal to the last of them.

    The best score is first; indices of equal scores are ascending.
    """
    if size >= len(scores):
        places = np.arange(len(scores))
    else:
        places = np.flatnonzero(scores >= np.partition(scores, len(scores) - size)[len(scores) - size])
    return places[np.argsort(-scores[places], kind="stable")]
