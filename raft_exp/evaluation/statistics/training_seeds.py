"""Figures and differences over several training seeds. Both the trainings and the questions are random.

Model: the figure of a seed is the true figure plus a random effect of its training plus the error of its sampled
questions. Two seeds may have the same questions (crossed design), different ones (nested) or some in common. The
variance of the mean over k seeds is the variance between seeds divided by k, plus the covariance due to shared
questions. The interval is a t interval. `docs/explanation/statistics.md` gives the reasons, `benchmarks/simulations.py`
measures the coverage.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from raft_exp.evaluation.metrics import Counts, Metric, Observation
from raft_exp.evaluation.statistics.intervals import Estimate, bounded, wilson
from raft_exp.evaluation.statistics.paired import POWER, Difference
from raft_exp.evaluation.statistics.resampling import CONFIDENCE, blocks, counted, rounded

# The variance between seeds is at least this quantile of its distribution in studies where training has no effect. A
# smaller value is due to chance.
_LUCK = 0.05

Seeds = Sequence[Mapping[str, Observation]]  # for each seed: question id -> observation
Array = NDArray[np.float64]


@dataclass(frozen=True)
class SeedEstimate(Estimate):
    """The mean of the seeds' figures. Its 95% interval accounts for random trainings and random questions."""

    df: float  # degrees of freedom of the t interval


@dataclass(frozen=True)
class SeedDifference(Difference):
    """The mean over the seeds of arm a minus arm b, with its t interval and the p-value of the t test."""

    df: float  # degrees of freedom of the t interval and test


@dataclass(frozen=True)
class _Sample:
    """The figures of k seeds, shape (k,), and each question's part in the error of each figure: (questions, k)."""

    figures: Array
    errors: Array
    asked: NDArray[np.bool_]  # (questions, k): whether the seed has the question

    @property
    def mean(self) -> float:
        return float(self.figures.mean())

    @property
    def overlap(self) -> Array:
        """The share of questions that two seeds have in common, for all pairs of seeds: shape (k, k).

        The share is the number of common questions, divided by the geometric mean of the seeds' numbers of questions.
        """
        shared = self.asked.T.astype(np.float64) @ self.asked
        return np.asarray(shared / np.sqrt(np.outer(shared.diagonal(), shared.diagonal())), dtype=np.float64)


@dataclass(frozen=True)
class _Spread:
    """The variance of the mean over the seeds, and the degrees of freedom of its t distribution."""

    variance: float
    df: float

    def quantile(self, share: float) -> float:
        """Returns the quantile of Student's t distribution at the probability `share` (0..1)."""
        from scipy.special import stdtrit

        return float(stdtrit(self.df, share))


def estimate_over_seeds(metric: Metric, seeds: Seeds) -> SeedEstimate:
    """Computes the mean of the seeds' figures with its interval.

    Raises ValueError for fewer than two seeds, and for a seed without observations.
    """
    sample = _sample(metric, seeds)
    spread = _spread(sample, sample.errors.T @ sample.errors)
    value, n = sample.mean, len(sample.asked)
    low, high = bounded(value, spread.variance, n, spread.quantile((1 + CONFIDENCE) / 2))
    return SeedEstimate(rounded(value), rounded(min(low, value)), rounded(max(high, value)), rounded(spread.df))


def compare_over_seeds(metric: Metric, a: Seeds, b: Seeds) -> SeedDifference:
    """Compares arm a with arm b over several seeds. In each seed, both arms must have the same questions.

    Raises ValueError for fewer than two seeds, and for arms that differ in their seeds or questions.
    """
    if any(left.keys() != right.keys() for left, right in zip(a, b, strict=True)):
        raise ValueError("the two arms have different questions")
    b = [{name: right[name] for name in left} for left, right in zip(a, b, strict=True)]  # in the order of a
    left, right = _sample(metric, a), _sample(metric, b)
    sample = _Sample(left.figures - right.figures, left.errors - right.errors, left.asked)
    covariance = sample.errors.T @ sample.errors + sample.overlap * _unseen(metric, sample, a, b)
    spread, value = _spread(sample, covariance), sample.mean
    error, upper = spread.variance**0.5, spread.quantile((1 + CONFIDENCE) / 2)
    return SeedDifference(
        difference=rounded(value),
        low=rounded(max(-1.0, value - upper * error)),
        high=rounded(min(1.0, value + upper * error)),
        p_value=rounded(_two_sided(value / error, spread.df)),
        detectable=rounded(min(1.0, (upper + spread.quantile(POWER)) * error)),
        df=rounded(spread.df),
    )


def _spread(sample: _Sample, covariance: Array) -> _Spread:
    """Computes the variance of the mean over the seeds.

    `covariance`: shape (k, k), of the errors of the seeds' figures that the sample of questions causes.
    """
    from scipy.special import chdtri

    k, questions = len(sample.figures), len(sample.asked)
    own = float(covariance.diagonal().mean())
    shared = max(0.0, float(covariance.sum() - covariance.trace()) / (k * (k - 1)))
    least = max(0.0, own - shared) * float(chdtri(k - 1, 1 - _LUCK)) / (k - 1)
    between = max(float(sample.figures.var(ddof=1)), least) / k
    variance = between + shared
    part = between / variance if variance else 1.0
    if k == 2:  # one degree of freedom: its long tails count for more than their part of the variance
        part = 1 - (1 - part) ** 2
    return _Spread(variance, 1 / (part / (k - 1) + (1 - part) / max(1, questions - 1)))


def _two_sided(statistic: float, df: float) -> float:
    from scipy.special import stdtr

    return 2 * float(stdtr(df, -abs(statistic)))


def _unseen(metric: Metric, sample: _Sample, a: Seeds, b: Seeds) -> Array:
    """Returns an additional variance, shape (k, k), for rare differences that may be missing from the sample.

    For means, it is the variance of two more questions per seed: each arm wins one of them by the largest difference
    (as in `paired.compare`). For other metrics it is 0; or, if no question made a difference, it is derived from the
    Wilson limit of a share of 0.
    """
    sizes = np.array([len(seed) for seed in a], dtype=np.float64)
    if metric.per_row:
        pairs = [(list(left.values()), list(right.values())) for left, right in zip(a, b, strict=True)]
        largest = max(float(np.abs(_numbers(left) - _numbers(right)).max()) for left, right in pairs) or 1.0
        return np.asarray(2 * largest**2 / np.outer(sizes, sizes), dtype=np.float64)
    if sample.errors.any():
        return np.zeros((len(sizes), len(sizes)))
    slack = np.array([wilson(0, size)[1] for size in sizes]) / NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return np.asarray(np.outer(slack, slack), dtype=np.float64)


def _sample(metric: Metric, seeds: Seeds) -> _Sample:
    if len(seeds) < 2:
        raise ValueError("figures over seeds need at least two seeds")
    places = {name: place for place, name in enumerate(dict.fromkeys(name for seed in seeds for name in seed))}
    figures = np.zeros(len(seeds))
    errors, asked = np.zeros((len(places), len(seeds))), np.zeros((len(places), len(seeds)), dtype=np.bool_)
    for column, seed in enumerate(seeds):
        rows = [places[name] for name in seed]
        figures[column], errors[rows, column] = _parts(metric, list(seed.values()))
        asked[rows, column] = True
    return _Sample(figures, errors, asked)


def _parts(metric: Metric, observations: Sequence[Observation]) -> tuple[float, Array]:
    """Returns the figure of n questions, and each question's part in the error of the figure, shape (n,).

    The squares of the parts sum to the variance of the figure: the usual variance for means, the jackknife's for other
    metrics.
    """
    cells, counts = counted(observations)
    n = len(observations)
    figure = float(metric.aggregate(cells, counts[None, :])[0])
    if n == 1:
        return figure, np.zeros(1)
    if metric.per_row:
        return figure, (_numbers(observations) - figure) / (n * (n - 1)) ** 0.5
    without = np.concatenate([metric.aggregate(cells, counts - one) for one in _one_of_each(len(cells))])
    parts = ((n - 1) / n) ** 0.5 * (np.average(without, weights=counts) - without)
    by_cell = dict(zip(cells, parts.tolist(), strict=True))
    return figure, np.array([by_cell[observation] for observation in observations])


def _numbers(observations: Sequence[Observation]) -> Array:
    return np.asarray(observations, dtype=np.float64)


def _one_of_each(cells: int) -> Iterator[Counts]:
    """Yields the rows of a unit matrix of size `cells`, in blocks that fit in memory."""
    start = 0
    for size in blocks(cells, cells):
        yield np.eye(size, cells, start, dtype=np.int64)
        start += size
