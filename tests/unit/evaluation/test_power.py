"""Power of the paired tests: by hand, and against simulations of the tests that the report uses."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from raft_exp.evaluation.metrics import Metric
from raft_exp.evaluation.statistics import POWER, compare, power

SHARE, MEAN = Metric(share=True), Metric(lambda graded: 0.0)


def pairs(random: np.random.Generator, n: int, discordance: float, difference: float) -> np.ndarray:
    """Differences of two arms, question by question: 1, 0 or -1."""
    better = (discordance + difference) / 2
    return random.choice([1, -1, 0], size=n, p=[better, discordance - better, 1 - discordance])


def test_by_hand():
    """Six questions that all differ: only six wins of six reach p <= 0.05 (2 / 64), so power is the sixth power."""
    assert power.mcnemar_power(6, 1.0, 0.8) == pytest.approx(0.9**6)
    assert power.mcnemar_power(5, 1.0, 1.0) == 0.0, "2 / 32 is above 5%"
    assert power.detectable_share(5, 0.3) is None
    # 0.8 ** (1 / 6) of the questions are for the better arm
    assert power.detectable_share(6, 1.0) == pytest.approx(2 * 0.8 ** (1 / 6) - 1, abs=1e-4)
    assert power.questions_for_share(1.0, 0.3) == 6
    assert power.questions_for_share(1e-4, 0.3) is None
    spread = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)  # 2.8016
    assert power.detectable_mean(400, 0.5) == pytest.approx(spread * 0.5 / 20)
    assert power.questions_for_mean(0.1, 0.5) == math.ceil((spread * 5) ** 2) == 197
    assert power.detectable_mean(1, 1.0) == 1.0


@pytest.mark.parametrize(("n", "discordance", "difference"), [(60, 0.5, 0.3), (300, 0.3, 0.09), (500, 0.1, 0.03)])
def test_mcnemar_finds_as_often_as_predicted(n, discordance, difference):
    random, found, trials = np.random.default_rng(0), 0, 1500
    for _ in range(trials):
        differences = pairs(random, n, discordance, difference)
        ones, zeros = [float(value > 0) for value in differences], [float(value < 0) for value in differences]
        cells = [int(sum(differences > 0)), int(sum(differences < 0))]
        p_value = 2 * sum(math.comb(sum(cells), k) for k in range(min(cells) + 1)) / 2 ** sum(cells)
        if not found and p_value < 0.9:  # the product's own test says the same
            assert compare(SHARE, ones, zeros, random).p_value == pytest.approx(min(1.0, p_value))
        found += p_value <= 0.05 and cells[0] > cells[1]
    expected = power.mcnemar_power(n, discordance, difference)
    assert found / trials == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / trials))


@pytest.mark.slow
def test_the_questions_of_a_graded_metric_give_its_power():
    random, deviation, difference = np.random.default_rng(1), 0.4, 0.1
    n = power.questions_for_mean(difference, deviation)
    found = 0
    for _ in range(300):
        left = random.choice([difference + deviation, difference - deviation], size=n)
        found += compare(MEAN, list(map(float, left)), [0.0] * n, random).p_value <= 0.05
    assert found / 300 == pytest.approx(POWER, abs=0.08)


@pytest.mark.parametrize("discordance", [0.05, 0.2, 0.6])
@pytest.mark.parametrize("difference", [0.02, 0.05, 0.1, 0.4])
def test_questions_and_differences_agree(discordance, difference):
    n = power.questions_for_share(difference, discordance)
    assert n is not None
    assert power.detectable_share(n, discordance) <= difference + 2e-5
    assert power.detectable_share(max(6, n // 2), discordance) > difference
