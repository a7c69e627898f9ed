"""Paired comparison of two arms on the same items."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from raft_exp.evaluation.metrics import Aggregate, Counts, Figures, Metric, Observation, mean, number
from raft_exp.evaluation.results import PairedFigures
from raft_exp.evaluation.statistics.intervals import wilson
from raft_exp.evaluation.statistics.resampling import (
    CONFIDENCE,
    PERMUTATIONS,
    blocks,
    bootstrap,
    counted,
    middle,
    rounded,
)

POWER = 0.8  # of the smallest detectable difference
_FEWEST = 8  # items on which one arm alone is right: with fewer, McNemar's test rarely detects a difference


@dataclass(frozen=True)
class Difference:
    """The difference of two arms (arm a minus arm b).

    The interval and `p_value` are not corrected for several comparisons.
    `detectable`: the smallest true difference that the test detects with 80% power at the 5% level, for the same number
    of items and the same spread of the differences.
    """

    difference: float
    low: float
    high: float
    p_value: float
    detectable: float

    def as_figures(self) -> PairedFigures:
        """Returns the difference in the form of results.json. Here `p_value_holm` is still the uncorrected p-value."""
        return {
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
            "detectable": self.detectable,
            "p_value_holm": self.p_value,
        }


def compare(
    metric: Metric, a: Sequence[Observation], b: Sequence[Observation], random: np.random.Generator
) -> Difference:
    """Compares arm a with arm b. `a` and `b` have the observations of the same items in the same order.

    The interval comes from a paired bootstrap. The p-value comes from an exact McNemar test for shares, else from a
    permutation test that swaps the two arms item by item.
    """
    pairs = list(zip(a, b, strict=True))
    if not metric.per_row:
        return _compare_figures(metric, pairs, random)
    cells, counts = counted([rounded(number(left) - number(right)) for left, right in pairs])
    value = float(mean(cells, counts[None, :])[0])
    # Two more items, one for each arm, with the largest difference: rare differences may be missing from the sample.
    largest = max(map(abs, cells)) or 1.0
    more = np.concatenate([counts, [1, 1]])
    figures = bootstrap(lambda sample: mean([*cells, largest, -largest], sample), more, random)
    p_value = _mcnemar(cells, counts) if metric.share else _flipped(cells, counts, random)
    return _difference(value, figures, p_value, _FEWEST / len(pairs) if metric.share else 0.0)


def _compare_figures(
    metric: Metric, pairs: list[tuple[Observation, Observation]], random: np.random.Generator
) -> Difference:
    """Compares two arms in a metric that is not a mean, such as macro F1: single items have no difference."""
    cells, counts = counted(pairs)
    left, right = [pair[0] for pair in cells], [pair[1] for pair in cells]

    def difference(sample: Counts) -> Figures:
        return metric.aggregate(left, sample) - metric.aggregate(right, sample)

    value = float(difference(counts[None, :])[0])
    figures = bootstrap(difference, counts, random)
    if np.ptp(figures) < 1e-12:  # no item differs: the interval bounds the share of the population that may differ
        slack = wilson(0, len(pairs))[1]
        figures = np.repeat([value - slack, value + slack], 2)
    return _difference(value, figures, _swapped(metric.aggregate, left, right, counts, random), 0.0)


def _difference(value: float, figures: Figures, p_value: float, least: float) -> Difference:
    low, high = middle(figures)
    low, high = max(-1.0, min(low, value)), min(1.0, max(high, value))
    away = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) + NormalDist().inv_cdf(POWER)
    detectable = min(1.0, max(least, away * float(np.std(figures))))
    return Difference(rounded(value), rounded(low), rounded(high), rounded(p_value), rounded(detectable))


def _mcnemar(differences: Sequence[float], counts: Counts) -> float:
    """Returns the p-value of the exact two-sided McNemar test.

    Under the null hypothesis, each item on which the arms differ is a fair coin toss.
    """
    only_a = sum(int(count) for value, count in zip(differences, counts, strict=True) if value > 0)
    only_b = sum(int(count) for value, count in zip(differences, counts, strict=True) if value < 0)
    tosses, ways, tail = only_a + only_b, 1, 0
    for heads in range(min(only_a, only_b) + 1):
        tail += ways
        ways = ways * (tosses - heads) // (heads + 1)
    return float(min(1.0, 2 * tail / 2**tosses))


def _flipped(differences: Sequence[float], counts: Counts, random: np.random.Generator) -> float:
    """Returns the p-value of the permutation test for means.

    It is the share of random swaps of the arms, item by item, with an absolute mean difference at least as large as the
    observed one.
    """
    sizes: Counter[float] = Counter()
    for value, count in zip(differences, counts, strict=True):
        sizes[abs(value)] += int(count)
    del sizes[0.0]  # swapping equal replies changes nothing
    if not sizes:
        return 1.0
    values, numbers = np.array(sorted(sizes)), np.array([sizes[value] for value in sorted(sizes)])
    observed = abs(float(np.asarray(differences) @ counts))
    as_large = 0
    for size in blocks(PERMUTATIONS, len(numbers)):
        kept = random.binomial(numbers, 0.5, size=(size, len(numbers)))
        as_large += int((np.abs((2 * kept - numbers) @ values) >= observed - 1e-9).sum())
    return (as_large + 1) / (PERMUTATIONS + 1)


def _swapped(
    aggregate: Aggregate, left: list[Observation], right: list[Observation], counts: Counts, random: np.random.Generator
) -> float:
    """Returns the p-value of the permutation test for metrics that are not means."""

    def difference(swapped: Counts) -> Figures:
        sample = np.concatenate([counts - swapped, swapped], axis=1)
        return np.abs(aggregate(left + right, sample) - aggregate(right + left, sample))

    observed = difference(np.zeros((1, len(counts)), dtype=np.int64))[0]
    as_large = sum(
        int((difference(random.binomial(counts, 0.5, size=(size, len(counts)))) >= observed - 1e-9).sum())
        for size in blocks(PERMUTATIONS, 2 * len(counts))
    )
    return (as_large + 1) / (PERMUTATIONS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns the p-values after Holm's step-down correction (family-wise error), in the same order."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = rounded(highest)
    return corrected
