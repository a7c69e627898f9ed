"""The source `mixed`: distractors of several sources, with a share for each source."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Literal

from raft_exp.core.records import Question
from raft_exp.core.sampling import seeded_bits
from raft_exp.core.schema import Share
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.ranking import Ranker

Shares = dict[Literal["random", "bm25", "dense", "hybrid", "given"], Share]

_GOLDEN = 0.6180339887498949  # (sqrt(5) - 1) / 2: steps of this length around a circle give evenly spread points


def mixed_ranker(
    rankers: Mapping[str, Ranker], shares: Mapping[str, float], distractor_filter: DistractorFilter, seed: int
) -> Ranker:
    """Returns a ranker that takes passages from each source in proportion to its share.

    Each source has an arc of a circle, in proportion to its share. The i-th passage comes from the source whose arc
    holds the i-th point. The first point is drawn for (seed, question); each next point is a golden-ratio step further.
    So the shares hold on average at any length of the ranking, and almost exactly in long rankings.

    Only passages that pass `distractor_filter` count. Otherwise a gold passage, which a search ranks first, would take
    the place of a distractor. When a source is exhausted, the other sources take its places.
    """

    def rank(question: Question) -> Iterator[int]:
        streams = {
            name: distractor_filter.allowed(question, rankers[name](question))
            for name in sorted(rankers)
            if shares[name] > 0
        }
        start = seeded_bits(seed, "mixed", question.id) / 2**64
        seen: set[int] = set()
        for place in count():
            ordinal = _next(streams, shares, (start + place * _GOLDEN) % 1, seen)
            if ordinal is None:
                return
            seen.add(ordinal)
            yield ordinal

    return rank


def _next(streams: dict[str, Iterator[int]], shares: Mapping[str, float], point: float, seen: set[int]) -> int | None:
    """Returns the next passage of the source at `point`, or of another source if that one is exhausted.

    None where all sources are exhausted. Removes exhausted sources from `streams`.
    """
    while streams:
        name = _source(streams, shares, point)
        ordinal = next((ordinal for ordinal in streams[name] if ordinal not in seen), None)
        if ordinal is not None:
            return ordinal
        del streams[name]
    return None


def _source(streams: Mapping[str, object], shares: Mapping[str, float], point: float) -> str:
    """Returns the source whose arc holds `point` (0 to 1). The sources in `streams` divide the whole circle."""
    *others, last = streams
    rest = point * sum(shares[name] for name in streams)
    for name in others:
        rest -= shares[name]
        if rest < 0:
            return name
    return last
