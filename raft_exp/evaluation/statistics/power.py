"""Power analysis of the paired tests before a study runs: detectable differences, and necessary numbers of questions.

A test detects a difference if its power is at least 80% (`POWER`) at the 5% level, without a correction for several
comparisons.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from raft_exp.evaluation.statistics.paired import POWER
from raft_exp.evaluation.statistics.resampling import CONFIDENCE

MOST_QUESTIONS = 1_000_000  # limit of the search; for more questions, None is returned
_TAIL = (1 - CONFIDENCE) / 2
_SPREAD = NormalDist().inv_cdf(1 - _TAIL) + NormalDist().inv_cdf(POWER)  # standard errors
_WIDTH = 8  # standard deviations of the number of discordant questions that are summed over


def mcnemar_power(n: int, discordance: float, difference: float) -> float:
    """Returns the power of the exact two-sided McNemar test.

    The power is the probability of a significant result in favour of the better arm.

    `n`: number of questions. `difference`: true difference of the two shares. `discordance`: expected share of
    questions that exactly one of the arms answers right; at least `difference`. The number of these questions is
    binomial. The better arm is right in an expected share (1 + difference / discordance) / 2 of these questions.
    """
    from scipy.stats import binom

    middle, width = n * discordance, _WIDTH * math.sqrt(n * discordance * (1 - discordance)) + 1
    discordant = np.arange(max(0, math.floor(middle - width)), min(n, math.ceil(middle + width)) + 1)
    # The most wins of the worse arm with p <= 0.05: p is twice the lower tail of fair coin tosses.
    most = binom.ppf(_TAIL, discordant, 0.5)
    most = np.where(binom.cdf(most, discordant, 0.5) <= _TAIL, most, most - 1)
    worse = (1 - difference / discordance) / 2
    return float(binom.pmf(discordant, n, discordance) @ binom.cdf(most, discordant, worse))


def detectable_share(n: int, discordance: float) -> float | None:
    """Returns the smallest difference of two shares that McNemar's test detects with `n` questions.

    Returns None if `n` is so small that the test detects no difference.

    `discordance`: see `mcnemar_power`. For a difference above `discordance`, the discordance equals the difference.
    """

    def finds(difference: float) -> bool:
        return mcnemar_power(n, max(discordance, difference), difference) >= POWER

    if not finds(1.0):
        return None
    low, high = 0.0, 1.0
    while high - low > 1e-5:
        middle = (low + high) / 2
        low, high = (low, middle) if finds(middle) else (middle, high)
    return high


def questions_for_share(difference: float, discordance: float) -> int | None:
    """Returns how many questions McNemar's test needs to detect `difference`; None for more than MOST_QUESTIONS.

    `discordance`: see `mcnemar_power`.
    """
    share = max(discordance, difference)
    return _fewest(lambda n: mcnemar_power(n, share, difference) >= POWER)


def detectable_mean(n: int, deviation: float) -> float:
    """Returns the smallest difference of two means over the same `n` questions that a paired test detects; at most 1.

    `deviation`: standard deviation of the difference per question. The permutation test is approximated by the normal
    distribution, as in the report.
    """
    return min(1.0, _SPREAD * deviation / math.sqrt(n))


def questions_for_mean(difference: float, deviation: float) -> int:
    """Returns how many questions a paired test needs to detect `difference`. `deviation`: see `detectable_mean`."""
    return max(1, math.ceil((_SPREAD * deviation / difference) ** 2 - 1e-9))


def _fewest(finds: Callable[[int], bool]) -> int | None:
    """Returns the smallest n with `finds(n)`, by bisection; None above MOST_QUESTIONS. `finds` must be monotonic."""
    high = 1
    while not finds(high):
        high *= 2
        if high > MOST_QUESTIONS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if finds(middle) else (middle, high)
    return high
