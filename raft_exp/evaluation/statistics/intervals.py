"""95% confidence intervals of the figures of one arm."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from raft_exp.evaluation.metrics import Metric, Observation
from raft_exp.evaluation.results import Figure
from raft_exp.evaluation.statistics.resampling import CONFIDENCE, RESAMPLES, bootstrap, counted, middle, rounded

_NORMAL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_PRIOR_ITEMS = 2  # weight, in items, of the widest possible spread: rare values may be missing from the sample


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% confidence interval."""

    value: float
    low: float
    high: float

    def as_figure(self) -> Figure:
        """Returns the estimate in the form of results.json."""
        return {"value": self.value, "low": self.low, "high": self.high}


def wilson(successes: float, n: float, z: float = _NORMAL) -> tuple[float, float]:
    """Returns the Wilson score interval of a share; (0, 1) for n=0. `z`: half width in standard errors."""
    if n == 0:
        return 0.0, 1.0
    share, width = successes / n, z * z / n
    centre = (share + width / 2) / (1 + width)
    half = (max(0.0, share * (1 - share)) * width + width * width / 4) ** 0.5 / (1 + width)
    return max(0.0, centre - half), min(1.0, centre + half)


def bounded(value: float, variance: float, n: int, z: float = _NORMAL) -> tuple[float, float]:
    """Returns the confidence interval of a figure `value` in 0..1 over n items; `z`: half width in standard errors.

    `variance`: the variance of the figure (of the mean, not of single items). The result is Wilson's interval for a
    share with the same variance. It is skewed near 0 and 1, where a bootstrap interval would be too short.

    The variance is first averaged with the largest possible variance (that of a share with the same mean), which counts
    like two items. This matters for small n: even if the sampled values hardly differ, the population may have others.
    """
    widest = value * (1 - value)
    if variance < 1e-15 or widest < 1e-15:
        return wilson(value * n, n, z)
    items = widest**2 / variance  # for a share n * share * (1 - share): the items that determine the variance
    cautious = (items * variance + _PRIOR_ITEMS * widest / n) / (items + _PRIOR_ITEMS)
    return wilson(value * widest / cautious, widest / cautious, z)


def estimate(metric: Metric, observations: Sequence[Observation], random: np.random.Generator) -> Estimate:
    """Computes a metric over the test items with its interval: Wilson's for shares, `bounded` for other metrics.

    For a metric that is not a mean, the variance comes from the bootstrap. Raises ValueError for no observations.
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
    """Computes a share and its interval over cases in clusters, for example quotes in replies.

    `parts`: (hits, cases) of each cluster. The clusters are the sampling units, so the variance is that of a ratio of
    two sums over clusters (Cochran 1977, 6.4). Raises ValueError if no cluster has cases.
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
    metric: Metric, cells: Sequence[Observation], weights: Sequence[float], n: int, random: np.random.Generator
) -> Estimate:
    """Computes the expected score of n items with random observations.

    Each observation is drawn from `cells`, with probabilities proportional to `weights`. The value is the metric of the
    expected counts. The interval is the middle 95% of the scores of random draws.
    """
    shares = np.asarray(weights) / np.sum(weights)
    value = float(metric.aggregate(cells, np.asarray(weights)[None, :])[0])
    low, high = middle(metric.aggregate(cells, random.multinomial(n, shares, size=RESAMPLES)))
    return _estimate(value, (low, high))


def _estimate(value: float, interval: tuple[float, float]) -> Estimate:
    low, high = interval
    return Estimate(rounded(value), rounded(min(low, value)), rounded(max(high, value)))
