"""How sure a figure is: intervals for one arm, and the paired comparison of two arms on the same items.

Everything works on counts of distinct observations instead of rows: resampling n rows is one multinomial draw over the
few different values (or label pairs) that occur, so that 2,000 resamples of 10,000 rows cost little, and the order of
the rows cannot matter.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from raft_exp.metrics import Aggregate, Counts, Figures, Metric

CONFIDENCE = 0.95
RESAMPLES = 2_000
PERMUTATIONS = 9_999
_CELLS_AT_ONCE = 4_000_000  # bounds the memory of a block of resamples (32 MB)
_PLACES = 12  # the last bits of a float sum differ between machines; the figures of a report must not


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Arm a minus arm b. The interval and p_value are of this one comparison, uncorrected."""

    difference: float
    low: float
    high: float
    p_value: float


def generator(seed: int, *names: str) -> np.random.Generator:
    """The generator of one figure: the same for the same seed and names, whatever else is computed."""
    digest = hashlib.sha256("\x00".join([str(seed), *names]).encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def wilson(successes: float, n: int) -> tuple[float, float]:
    """The Wilson score interval of a share; (0, 1) when there is nothing to go by."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, width = successes / n, z * z / n
    centre = (share + width / 2) / (1 + width)
    half = (share * (1 - share) * width + width * width / 4) ** 0.5 / (1 + width)
    return max(0.0, centre - half), min(1.0, centre + half)


def estimate(metric: Metric, observations: Sequence[Any], random: np.random.Generator) -> Estimate:
    """A metric over the test items, with its interval: Wilson for shares, else the percentile bootstrap.

    Raises ValueError without observations.
    """
    cells, counts = _counted(observations)
    value = float(metric.aggregate(cells, counts[None, :])[0])
    if metric.share:
        low, high = wilson(value * len(observations), len(observations))
    else:
        figures = _bootstrap(lambda sample: metric.aggregate(cells, sample), counts, random)
        # All rows alike: resampling sees no spread, which is not certainty. Among the variables within 0..1 with this
        # mean a share has the largest spread, so that its interval errs on the safe side.
        low, high = wilson(value * len(observations), len(observations)) if _constant(figures) else _middle(figures)
    return Estimate(_rounded(value), _rounded(min(low, value)), _rounded(max(high, value)))


def compare(metric: Metric, a: Sequence[Any], b: Sequence[Any], random: np.random.Generator) -> Difference:
    """Arm a against arm b on the same items, in the same order. Interval: paired bootstrap. p: exact McNemar test for
    shares, else a permutation test that swaps the two arms item by item."""
    cells, counts = _counted(list(zip(a, b, strict=True)))
    left, right = [pair[0] for pair in cells], [pair[1] for pair in cells]

    def difference(sample: Counts) -> Figures:
        return metric.aggregate(left, sample) - metric.aggregate(right, sample)

    value = float(difference(counts[None, :])[0])
    figures = _bootstrap(difference, counts, random)
    low, high = _middle(figures)
    if _constant(figures):  # the items never differ: how rare differences may still be is what is left open
        slack = wilson(0, len(a))[1]
        low, high = max(-1.0, value - slack), min(1.0, value + slack)
    p_value = _mcnemar(cells, counts) if metric.share else _swapped(metric.aggregate, left, right, counts, random)
    return Difference(_rounded(value), _rounded(min(low, value)), _rounded(max(high, value)), _rounded(p_value))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given: the family-wise error stays below the level."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = _rounded(highest)
    return corrected


def _counted(observations: Sequence[Any]) -> tuple[list[Any], Counts]:
    if not observations:
        raise ValueError("no observations")
    counted = Counter(observations)
    cells = sorted(counted)
    return cells, np.array([counted[cell] for cell in cells], dtype=np.int64)


def _bootstrap(figure: Callable[[Counts], Figures], counts: Counts, random: np.random.Generator) -> Figures:
    n = int(counts.sum())
    blocks = _blocks(RESAMPLES, len(counts))
    return np.concatenate([figure(random.multinomial(n, counts / n, size=size)) for size in blocks])


def _mcnemar(cells: Sequence[tuple[float, float]], counts: Counts) -> float:
    """Exact and two-sided: of the items where the arms differ, each is a's or b's by the toss of a coin."""
    only_a = sum(int(count) for (a, b), count in zip(cells, counts, strict=True) if a > b)
    only_b = sum(int(count) for (a, b), count in zip(cells, counts, strict=True) if a < b)
    tosses, ways, tail = only_a + only_b, 1, 0
    for heads in range(min(only_a, only_b) + 1):
        tail += ways
        ways = ways * (tosses - heads) // (heads + 1)
    return float(min(1.0, 2 * tail / 2**tosses))


def _swapped(
    aggregate: Aggregate, left: list[Any], right: list[Any], counts: Counts, random: np.random.Generator
) -> float:
    """The share of random swaps of the two arms' replies whose difference is as large as the one seen."""

    def difference(moved: Counts) -> Figures:
        sample = np.concatenate([counts - moved, moved], axis=1)
        return np.abs(aggregate(left + right, sample) - aggregate(right + left, sample))

    seen = difference(np.zeros((1, len(counts)), dtype=np.int64))[0]
    blocks = _blocks(PERMUTATIONS, 2 * len(counts))
    as_large = sum(
        int((difference(random.binomial(counts, 0.5, size=(size, len(counts)))) >= seen - 1e-9).sum())
        for size in blocks
    )
    return (as_large + 1) / (PERMUTATIONS + 1)


def _blocks(total: int, cells: int) -> Iterator[int]:
    """Splits `total` resamples into blocks that fit in memory; the random stream does not depend on the split."""
    size = max(1, _CELLS_AT_ONCE // cells)
    for start in range(0, total, size):
        yield min(size, total - start)


def _middle(figures: Figures) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(figures, [tail, 1 - tail])
    return float(low), float(high)


def _constant(figures: Figures) -> bool:
    return bool(np.ptp(figures) < 1e-12)


def _rounded(value: float) -> float:
    return round(value, _PLACES) + 0.0  # + 0.0: no "-0.0" in the files
