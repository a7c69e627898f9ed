"""Power of the paired tests before a study runs: differences that they find, and questions that they need.

A test finds a difference with 80% power (`POWER`) at the 5% level, one comparison alone.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from raft_exp.evaluation.statistics.paired import POWER
from raft_exp.evaluation.statistics.resampling import CONFIDENCE

MOST_QUESTIONS = 1_000_000  # a difference that needs more has no number
_TAIL = (1 - CONFIDENCE) / 2
_SPREAD = NormalDist().inv_cdf(1 - _TAIL) + NormalDist().inv_cdf(POWER)  # standard errors
_WIDTH = 8  # standard deviations of the number of discordant questions that are summed over


def mcnemar_power(n: int, discordance: float, difference: float) -> float:
    """The probability that the exact two-sided McNemar test over `n` questions finds `difference` in its direction.

    `discordance`: the expected share of questions that exactly one of two arms answers right; at least `difference`.
    The number of such questions is binomial, and of them a share (1 + difference / discordance) / 2 is expected to be
    for the better arm. The sum over that number is exact.
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
    """The smallest difference of two shares that McNemar's test finds with `n` questions.

    A difference above `discordance` needs as large a discordance itself. None: no difference is found.
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
    """The questions with which McNemar's test finds `difference`, by bisection; None above MOST_QUESTIONS."""
    share = max(discordance, difference)
    return _fewest(lambda n: mcnemar_power(n, share, difference) >= POWER)


def detectable_mean(n: int, deviation: float) -> float:
    """The smallest difference of two means over the same `n` questions that a test finds; at most 1.

    `deviation`: the standard deviation of the differences by question. The normal approximation of the permutation
    test, as in the report.
    """
    return min(1.0, _SPREAD * deviation / math.sqrt(n))


def questions_for_mean(difference: float, deviation: float) -> int:
    """The questions with which a test finds `difference` of two means; see `detectable_mean`."""
    return max(1, math.ceil((_SPREAD * deviation / difference) ** 2 - 1e-9))


def _fewest(finds: Callable[[int], bool]) -> int | None:
    """The smallest number that `finds` holds for, where it holds for all larger ones too."""
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
