"""Distractors of several sources in given shares."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Literal

from raft_exp.core.records import Question
from raft_exp.core.sampling import seeded_bits
from raft_exp.core.schema import Share
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.ranking import Ranker

Shares = dict[Literal["random", "bm25", "dense", "given"], Share]

_GOLDEN = 0.6180339887498949  # (sqrt(5) - 1) / 2: steps of it around a circle stay evenly spread, however many


def mixed_ranker(
    parts: Mapping[str, Ranker], shares: Mapping[str, float], guards: DistractorFilter, seed: int
) -> Ranker:
    """Parts mixed in their `shares`: for place i the question's i-th point on a circle says whose turn it is.

    The points start anywhere and are evenly spread, so that every prefix has the shares on average and a long one
    exactly. Shares are of what the guards let through: searches begin with the gold passage itself, which would
    otherwise use up the places of a source. When a source runs dry the others go on.
    """

    def rank(question: Question) -> Iterator[int]:
        streams = {name: guards.allowed(question, parts[name](question)) for name in sorted(parts) if shares[name] > 0}
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
    """The next passage of the source at `point`, or of another when it has none left; None at the end of all."""
    while streams:
        name = _source(streams, shares, point)
        ordinal = next((each for each in streams[name] if each not in seen), None)
        if ordinal is not None:
            return ordinal
        del streams[name]
    return None


def _source(streams: Mapping[str, object], shares: Mapping[str, float], point: float) -> str:
    """The source whose arc of the circle holds `point`; arcs are as long as the shares of those that are left."""
    *others, last = streams
    rest = point * sum(shares[name] for name in streams)
    for name in others:
        rest -= shares[name]
        if rest < 0:
            return name
    return last
