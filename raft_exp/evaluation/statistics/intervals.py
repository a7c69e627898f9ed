"""Intervals of one arm's figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from raft_exp.evaluation.metrics import Metric
from raft_exp.evaluation.statistics.resampling import CONFIDENCE, RESAMPLES, bootstrap, counted, middle, rounded

_UNSEEN = 2  # items' worth of the widest spread that is added to the one seen: what is rare may have been missed


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The Wilson score interval of a share; (0, 1) when there is nothing to go by."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, width = successes / n, z * z / n
    centre = (share + width / 2) / (1 + width)
    half = (max(0.0, share * (1 - share)) * width + width * width / 4) ** 0.5 / (1 + width)
    return max(0.0, centre - half), min(1.0, centre + half)


def bounded(value: float, variance: float, n: int) -> tuple[float, float]:
    """The interval of a figure in 0..1 that rests on n items and has this variance: Wilson's, of as many items as
    would give a share that variance. Near 0 and 1 it stays as skew as a share's, where the bootstrap is too short.

    Among the figures with this mean a share has the widest spread. Two items' worth of it is mixed in, which matters
    where few items decide: items alike are not certainty, and the rare one may just not have been among them.
    """
    widest = value * (1 - value)
    if variance < 1e-15 or widest < 1e-15:
        return wilson(value * n, n)
    seen = widest**2 / variance  # for a share n * share * (1 - share): the items that the variance rests on
    cautious = (seen * variance + _UNSEEN * widest / n) / (seen + _UNSEEN)
    return wilson(value * widest / cautious, widest / cautious)


def estimate(metric: Metric, observations: Sequence[Any], random: np.random.Generator) -> Estimate:
    """A metric over the test items, with its interval: Wilson for shares, `bounded` for the others, where what is no
    mean has its variance from the bootstrap.

    Raises ValueError without observations.
    """
    cells, counts = counted(observations)
    n = len(observations)
    value = float(metric.aggregate(cells, counts[None, :])[0])
    if metric.share:
        return _estimate(value, wilson(value * n, n))
    if metric.per_row:
        variance = float(counts @ (np.asarray(cells) - value) ** 2) / max(1, n - 1) / n
    else:
        variance = float(np.var(bootstrap(lambda sample: metric.aggregate(cells, sample), counts, random)))
    return _estimate(value, bounded(value, variance, n))


def clustered(parts: Sequence[tuple[int, int]]) -> Estimate:
    """A share of things that come in clusters, quotes in replies, say: (hits, things) of each cluster.

    The clusters are what was sampled: the variance is that of a ratio of two sums over them (Cochran 1977, 6.4).
    Raises ValueError without things.
    """
    hits, sizes = (np.array(column, dtype=np.float64) for column in zip(*parts, strict=True))
    used = sizes > 0
    hits, sizes, n = hits[used], sizes[used], int(used.sum())
    if not n:
        raise ValueError("no observations")
    share = float(hits.sum() / sizes.sum())
    if sizes.max() == 1:
        return _estimate(share, wilson(float(hits.sum()), n))
    off = (hits - share * sizes) / sizes.mean()
    return _estimate(share, bounded(share, float(off @ off) / max(1, n - 1) / n, n))


def expected(
    metric: Metric, cells: Sequence[Any], weights: Sequence[float], n: int, random: np.random.Generator
) -> Estimate:
    """What n items score whose observations are drawn by chance: the figure of the expected counts, and the middle
    95 % of what comes out."""
    shares = np.asarray(weights) / np.sum(weights)
    value = float(metric.aggregate(cells, np.asarray(weights)[None, :])[0])
    low, high = middle(metric.aggregate(cells, random.multinomial(n, shares, size=RESAMPLES)))
    return _estimate(value, (low, high))


def _estimate(value: float, interval: tuple[float, float]) -> Estimate:
    low, high = interval
    return Estimate(rounded(value), rounded(min(low, value)), rounded(max(high, value)))
