"""Hybrid search: the rankings of bm25 and dense, joined by reciprocal rank fusion.

The fusion needs no comparable scores: the score of a passage is the sum of 1 / (60 + rank) over both rankings (Cormack,
Clarke and Buettcher, SIGIR 2009). The study, `ask` and `serve` use the same function.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile

from raft_exp.core.records import Question
from raft_exp.retrieval.ranking import Ranker, Scored

SOURCES = ("bm25", "dense")  # the searches that are joined
_FUSED = 100  # passages of each ranking that are joined first
_GROWTH = 8  # factor by which this number grows if more passages are needed
_SMOOTHING = 60  # constant of the fusion, as published


def hybrid_ranker(words: Scored, vectors: Scored) -> Ranker:
    """Returns a ranker that joins a search by words and a search by vectors.

    A passage without a word of the question has no rank in the search by words. The first 100 passages of each search
    are joined, then those of the first 800, and so on. So the order of the first passages does not depend on how many
    passages are read.
    """

    def rank(question: Question) -> Iterator[int]:
        by_words = (ordinal for ordinal, _ in takewhile(_matches, words.ranked(question)))
        by_vectors = (ordinal for ordinal, _ in vectors.ranked(question))
        return _joined([by_words, by_vectors])

    return rank


def fused(rankings: Iterable[Sequence[int]]) -> list[int]:
    """Returns the ordinals of all rankings, best fused score first. Equal scores are sorted by ordinal."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, ordinal in enumerate(ranking, start=1):
            scores[ordinal] += 1 / (_SMOOTHING + rank)
    return sorted(scores, key=lambda ordinal: (-scores[ordinal], ordinal))


def _joined(sources: Sequence[Iterator[int]]) -> Iterator[int]:
    rankings: list[list[int]] = [[] for _ in sources]
    seen, size = set[int](), _FUSED
    while True:
        for ranking, source in zip(rankings, sources, strict=True):
            ranking += islice(source, size - len(ranking))
        for ordinal in fused(rankings):
            if ordinal not in seen:
                seen.add(ordinal)
                yield ordinal
        if all(len(ranking) < size for ranking in rankings):
            return
        size *= _GROWTH


def _matches(hit: tuple[int, float]) -> bool:
    return hit[1] > 0
