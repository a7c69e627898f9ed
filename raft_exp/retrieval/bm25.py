"""Passages by their words: BM25 (bm25s).

The index of bm25s is the one thing here that grows with the text: it holds every word of the pool in memory.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from raft_exp.contexts import Ranker
from raft_exp.passages import Passages
from raft_exp.records import Question
from raft_exp.retrieval.margin import without_scores
from raft_exp.retrieval.text import searched


class Bm25:
    """Ranks a pool by BM25 score against the question; equal scores stand in the pool's order."""

    def __init__(self, passages: Passages, pool: np.ndarray) -> None:
        import bm25s

        self._passages, self._pool = passages, pool
        words = _tokens(searched(passages[int(ordinal)]) for ordinal in pool)
        words = words if any(words) else [["-"], *words[1:]]  # bm25s wants one word; no question has this one
        self._mean_length = np.mean([len(each) for each in words])
        self._index = bm25s.BM25()
        self._index.index(words, show_progress=False)

    def ranked(self, question: Question) -> Iterator[tuple[int, float]]:
        """Ordinals of the whole pool with their scores, best first."""
        words = _tokens([question.question])[0]
        scores = self._index.get_scores(words) if words else np.zeros(len(self._pool), dtype=np.float32)
        given, size = 0, 32
        while given < len(self._pool):
            best = _top(scores, size)
            yield from zip(self._pool[best[given:]].tolist(), scores[best[given:]].tolist(), strict=True)
            given, size = len(best), size * 8

    def similarity(self, question: Question, ordinals: Iterable[int]) -> list[float]:
        """Scores of any passages, in the pool or not, by the word statistics of the pool."""
        asked = self._index.get_tokens_ids(_tokens([question.question])[0])
        return [self._score(asked, words) for words in _tokens(searched(self._passages[each]) for each in ordinals)]

    def _score(self, asked: list[int], words: list[str]) -> float:
        """What bm25s adds up (Lucene's form of BM25), here for a passage that need not be in its index."""
        index, starts = self._index, self._index.scores["indptr"]
        held = index.get_tokens_ids(words)
        counts = np.array([held.count(word) for word in asked], dtype=np.float64)
        documents = np.array([starts[word + 1] - starts[word] for word in asked], dtype=np.float64)
        rarity = np.log(1 + (len(self._pool) - documents + 0.5) / (documents + 0.5))
        length = index.k1 * (1 - index.b + index.b * len(words) / self._mean_length)
        return float((rarity * counts / (length + counts)).sum())


def bm25_ranker(passages: Passages, pool: np.ndarray) -> Ranker:
    """Passages of the pool by BM25 score against the question; equal scores in the pool's order."""
    return without_scores(Bm25(passages, pool))


def _tokens(texts: Iterable[str]) -> list[list[str]]:
    import bm25s

    found = bm25s.tokenize(list(texts), stopwords="en", return_ids=False, show_progress=False)
    return [list(words) for words in found]


def _top(scores: np.ndarray, size: int) -> np.ndarray:
    """Places of the `size` best scores and of all that tie with the last, best first; ties in rising place."""
    if size >= len(scores):
        places = np.arange(len(scores))
    else:
        places = np.flatnonzero(scores >= np.partition(scores, len(scores) - size)[len(scores) - size])
    return places[np.argsort(-scores[places], kind="stable")]
