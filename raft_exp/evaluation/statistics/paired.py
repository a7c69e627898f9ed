"""Two arms on the same items."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from raft_exp.evaluation.metrics import Aggregate, Counts, Figures, Metric, mean
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

POWER = 0.8  # with which the smallest detectable difference would be found
_FEWEST = 8  # items that one arm wins alone: with fewer expected, McNemar's test rarely sees a difference


@dataclass(frozen=True)
class Difference:
    """Arm a minus arm b. The interval and p_value are of this one comparison, uncorrected.

    `detectable`: the smallest true difference that a test of so many items with differences of this spread would find
    with 80 % power at the 5 % level.
    """

    difference: float
    low: float
    high: float
    p_value: float
    detectable: float


def compare(metric: Metric, a: Sequence[Any], b: Sequence[Any], random: np.random.Generator) -> Difference:
    """Arm a against arm b on the same items, in the same order. Interval: paired bootstrap. p: exact McNemar test for
    shares, else a permutation test that swaps the two arms item by item."""
    pairs = list(zip(a, b, strict=True))
    if not metric.per_row:
        return _compare_figures(metric, pairs, random)
    cells, counts = counted([rounded(one - other) for one, other in pairs])
    value = float(mean(cells, counts[None, :])[0])
    # Two items more, one won by each arm as far as any was won: alike is not certain, and the rare may be unseen.
    largest = max(map(abs, cells)) or 1.0
    more = np.concatenate([counts, [1, 1]])
    figures = bootstrap(lambda sample: mean([*cells, largest, -largest], sample), more, random)
    p_value = _mcnemar(cells, counts) if metric.share else _flipped(cells, counts, random)
    return _difference(value, figures, p_value, _FEWEST / len(pairs) if metric.share else 0.0)


def _compare_figures(metric: Metric, pairs: list[tuple[Any, Any]], random: np.random.Generator) -> Difference:
    """The same for figures that are no means, so that items have no difference of their own."""
    cells, counts = counted(pairs)
    left, right = [pair[0] for pair in cells], [pair[1] for pair in cells]

    def difference(sample: Counts) -> Figures:
        return metric.aggregate(left, sample) - metric.aggregate(right, sample)

    value = float(difference(counts[None, :])[0])
    figures = bootstrap(difference, counts, random)
    if np.ptp(figures) < 1e-12:  # the items never differ: how rare differences may still be is what is left open
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
    """Exact and two-sided: of the items where the arms differ, each is a's or b's by the toss of a coin."""
    only_a = sum(int(count) for value, count in zip(differences, counts, strict=True) if value > 0)
    only_b = sum(int(count) for value, count in zip(differences, counts, strict=True) if value < 0)
    tosses, ways, tail = only_a + only_b, 1, 0
    for heads in range(min(only_a, only_b) + 1):
        tail += ways
        ways = ways * (tosses - heads) // (heads + 1)
    return float(min(1.0, 2 * tail / 2**tosses))


def _flipped(differences: Sequence[float], counts: Counts, random: np.random.Generator) -> float:
    """The share of random swaps of the two arms' replies whose mean difference is as large as the one seen."""
    sizes: Counter[float] = Counter()
    for value, count in zip(differences, counts, strict=True):
        sizes[abs(value)] += int(count)
    del sizes[0.0]  # swapping equal replies changes nothing
    if not sizes:
        return 1.0
    values, numbers = np.array(sorted(sizes)), np.array([sizes[value] for value in sorted(sizes)])
    seen = abs(float(np.asarray(differences) @ counts))
    as_large = 0
    for size in blocks(PERMUTATIONS, len(numbers)):
        won = random.binomial(numbers, 0.5, size=(size, len(numbers)))
        as_large += int((np.abs((2 * won - numbers) @ values) >= seen - 1e-9).sum())
    return (as_large + 1) / (PERMUTATIONS + 1)


def _swapped(
    aggregate: Aggregate, left: list[Any], right: list[Any], counts: Counts, random: np.random.Generator
) -> float:
    """The same for figures that are no means."""

    def difference(moved: Counts) -> Figures:
        sample = np.concatenate([counts - moved, moved], axis=1)
        return np.abs(aggregate(left + right, sample) - aggregate(right + left, sample))

    seen = difference(np.zeros((1, len(counts)), dtype=np.int64))[0]
    as_large = sum(
        int((difference(random.binomial(counts, 0.5, size=(size, len(counts)))) >= seen - 1e-9).sum())
        for size in blocks(PERMUTATIONS, 2 * len(counts))
    )
    return (as_large + 1) / (PERMUTATIONS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given: the family-wise error stays below the level."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = rounded(highest)
    return corrected
