"""Distractors of several sources, each with a set share."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Literal

from raft_exp.core.records import Question
from raft_exp.core.sampling import seeded_bits
from raft_exp.core.schema import Share
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.ranking import Ranker

Shares = dict[Literal["random", "bm25", "dense", "given"], Share]

_GOLDEN = 0.6180339887498949  # (sqrt(5) - 1) / 2: any number of steps of it around a circle are evenly spread


def mixed_ranker(
    rankers: Mapping[str, Ranker], shares: Mapping[str, float], distractor_filter: DistractorFilter, seed: int
) -> Ranker:
    """Mixes rankings by `shares`. Each source owns an arc of a circle in proportion to its share; the i-th passage
    comes from the source whose arc holds the question's i-th point.

    The first point is drawn for (seed, question) and the others follow in golden-ratio steps: a ranking holds the
    shares on average at any length, and almost exactly when it is long. Shares count passages that pass the filter:
    searches rank the gold passage itself first, and it would use up a source's places. When a source is exhausted, the
    others take its places.
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
    """The next passage of the source at `point`, or of another where it is exhausted; None where all are."""
    while streams:
        name = _source(streams, shares, point)
        ordinal = next((ordinal for ordinal in streams[name] if ordinal not in seen), None)
        if ordinal is not None:
            return ordinal
        del streams[name]
    return None


def _source(streams: Mapping[str, object], shares: Mapping[str, float], point: float) -> str:
    """The source whose arc holds `point`; the sources that are left share the whole circle."""
    *others, last = streams
    rest = point * sum(shares[name] for name in streams)
    for name in others:
        rest -= shares[name]
        if rest < 0:
            return name
    return last
