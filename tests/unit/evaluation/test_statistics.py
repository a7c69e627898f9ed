"""Intervals and tests: known values, behaviour over many simulated studies, reproducibility."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.evaluation.metrics import METRICS, Metric, Observation
from raft_exp.evaluation.results import Results
from raft_exp.evaluation.statistics import (
    bounded,
    clustered,
    compare,
    estimate,
    expected,
    generator,
    holm,
    seeds,
    wilson,
)
from tests.helpers.runs import arm, todays

SHARE, MEAN, MACRO = METRICS["exact_match"], METRICS["f1"], METRICS["macro_f1"]
UNIT = st.sampled_from([0.0, 0.25, 0.4, 2 / 3, 1.0])
Pairs = list[tuple[str, str]]


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.27753),
        (10, 10, 0.72247, 1.0),
        (5, 10, 0.23659, 0.76341),
        (81, 263, 0.25531, 0.36621),  # Newcombe 1998, table I: .2553 to .3662
        (15, 148, 0.06236, 0.16050),  # Newcombe 1998, table I: .0624 to .1605
        (276, 500, 0.50819, 0.59503),
    ],
)
def test_wilson_known_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None)
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(case: tuple[int, int]) -> None:
    from scipy.stats import binomtest

    interval = binomtest(*case).proportion_ci(0.95, method="wilson")
    assert wilson(*case) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_nothing_to_go_by() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="no observations"):
        estimate(MEAN, [], generator(0))


@settings(max_examples=25, deadline=None)
@given(st.lists(UNIT, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_an_estimate_holds_its_value_and_ignores_the_order(values: list[float], shuffle: random.Random) -> None:
    found = estimate(MEAN, values, generator(1, "f1"))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high, "a finite sample is never certain"
    assert found.value == pytest.approx(np.mean(values))
    shuffle.shuffle(values)
    assert estimate(MEAN, values, generator(1, "f1")) == found


def test_the_same_seed_gives_the_same_figures_and_another_does_not() -> None:
    one, other = [i / 50 for i in range(50)], [(i * 7 % 50) / 50 for i in range(50)]
    first = compare(MEAN, one, other, generator(0, "f1"))
    assert first == compare(MEAN, one, other, generator(0, "f1"))
    assert first != compare(MEAN, one, other, generator(1, "f1"))
    assert first != compare(MEAN, one, other, generator(0, "other"))


def test_memory_blocks_do_not_change_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(0)
    a, b = ([draw.random() for _ in range(60)] for _ in range(2))
    whole = estimate(MEAN, a, generator(0)), compare(MEAN, a, b, generator(0))
    monkeypatch.setattr("raft_exp.evaluation.statistics.resampling._CELLS_AT_ONCE", 7_000)
    assert (estimate(MEAN, a, generator(0)), compare(MEAN, a, b, generator(0))) == whole


def _labels(truth: str, right: float, draw: random.Random) -> str:
    return truth if draw.random() < right else draw.choice(["yes", "no", "maybe"])


def _study(n: int, right: float, draw: random.Random) -> Pairs:
    truths = draw.choices(["yes", "no", "maybe"], [0.55, 0.34, 0.11], k=n)
    return [(truth, _labels(truth, right, draw)) for truth in truths]


def _coverage(metric: Metric, samples: Sequence[Sequence[Observation]], truth: float) -> float:
    found = [estimate(metric, sample, generator(i)) for i, sample in enumerate(samples)]
    return sum(interval.low <= truth <= interval.high for interval in found) / len(found)


def test_wilson_covers_the_truth_as_often_as_it_says() -> None:
    draw = random.Random(1)
    samples = [[float(draw.random() < 0.1) for _ in range(60)] for _ in range(1000)]
    assert 0.93 <= _coverage(SHARE, samples, 0.1) <= 0.975


def test_intervals_cover_the_mean_as_often_as_it_says() -> None:
    draw = random.Random(2)
    values, weights = [0.0, 0.4, 2 / 3, 1.0], [0.4, 0.2, 0.1, 0.3]
    truth = float(np.average(values, weights=weights))
    samples = [draw.choices(values, weights, k=100) for _ in range(500)]
    assert 0.92 <= _coverage(MEAN, samples, truth) <= 0.975


@pytest.mark.slow
def test_the_bootstrap_covers_macro_f1_about_as_often_as_it_says() -> None:
    draw = random.Random(3)
    truth = estimate(MACRO, _study(400_000, 0.6, draw), generator(0)).value
    samples = [_study(300, 0.6, draw) for _ in range(300)]
    assert 0.91 <= _coverage(MACRO, samples, truth) <= 0.98


@pytest.mark.parametrize("weights", [[0.93, 0.02, 0.02, 0.03], [0.02, 0.02, 0.03, 0.93]], ids=["near 0", "near 1"])
def test_intervals_of_means_hold_near_0_and_1_where_the_bootstrap_is_too_short(weights: list[float]) -> None:
    draw = random.Random(4)
    values = [0.0, 0.4, 2 / 3, 1.0]
    truth = float(np.average(values, weights=weights))
    samples = [draw.choices(values, weights, k=200) for _ in range(1000)]
    assert 0.935 <= _coverage(MEAN, samples, truth) <= 0.975


def test_a_share_seen_as_a_mean_has_nearly_wilsons_interval() -> None:
    for hits in (0, 3, 250, 499, 500):
        values = [1.0] * hits + [0.0] * (500 - hits)
        assert bounded(hits / 500, float(np.var(values)) / 500, 500) == pytest.approx(wilson(hits, 500), abs=1e-9)


def test_clusters_of_one_are_a_share_and_clusters_of_copies_are_no_more_than_one() -> None:
    ones = [(1, 1)] * 30 + [(0, 1)] * 10
    assert clustered(ones) == estimate(SHARE, [1.0] * 30 + [0.0] * 10, generator(0))
    assert clustered([*ones, (0, 0)]) == clustered(ones), "a reply without quotes says nothing of quotes"
    copies = clustered([(hits * 7, 7) for hits, _ in ones])
    assert (copies.value, copies.low, copies.high) == pytest.approx((0.75, *wilson(30, 40)), abs=5e-3)
    with pytest.raises(ValueError, match="no observations"):
        clustered([(0, 0)])


def test_an_interval_over_clusters_holds_and_one_over_things_would_not() -> None:
    draw = np.random.default_rng(5)
    held = naive = 0
    for _ in range(500):
        bad = draw.random(150) < 0.2
        sizes = draw.integers(1, 6, 150)
        hits = draw.binomial(sizes, np.where(bad, 0.2, 0.98))
        truth = 0.2 * 0.2 + 0.8 * 0.98
        found = clustered(list(zip(hits.tolist(), sizes.tolist(), strict=True)))
        held += found.low <= truth <= found.high
        low, high = wilson(float(hits.sum()), int(sizes.sum()))
        naive += low <= truth <= high
    assert 0.93 <= held / 500 <= 0.98
    assert naive / 500 < 0.9


def test_what_chance_scores() -> None:
    found = expected(MEAN, [0.0, 1.0], [3, 1], 400, generator(0))
    assert found.value == 0.25
    assert (found.low, found.high) == pytest.approx((0.25 - 0.0424, 0.25 + 0.0424), abs=0.006)


def test_a_difference_that_is_called_detectable_is_found_four_times_of_five() -> None:
    draw = np.random.default_rng(6)

    def study(difference: float) -> tuple[list[float], list[float]]:
        won = draw.choice([1, -1, 0], 500, p=[0.13 + difference / 2, 0.13 - difference / 2, 0.74])
        return np.maximum(won, 0.0).tolist(), np.maximum(-won, 0.0).tolist()

    size = float(np.mean([compare(SHARE, *study(0), generator(i)).detectable for i in range(20)]))
    assert 0.055 < size < 0.07
    for metric in (SHARE, MEAN):
        found = sum(compare(metric, *study(size), generator(i)).p_value < 0.05 for i in range(200))
        assert 0.7 <= found / 200 <= 0.9


def test_a_mean_that_never_differs_still_leaves_a_difference_open() -> None:
    same = compare(MEAN, [0.5] * 50, [0.5] * 50, generator(0))
    assert (same.difference, same.p_value) == (0, 1)
    assert same.low < 0 < same.high
    assert 0 < same.detectable < 0.2


def test_seeds_are_shown_with_mean_and_deviation() -> None:
    def run(seed: int, **arms: float) -> Results:
        shown = {name: arm(f1=value) for name, value in arms.items()}
        return {**todays(), "seed": seed, "arms": shown}

    found = seeds([run(2, raft=0.6, rag=0.5), run(0, raft=0.7), run(1, raft=0.8)])
    assert found["raft"]["f1"] == {"mean": 0.7, "deviation": 0.1, "values": {"2": 0.6, "0": 0.7, "1": 0.8}}
    assert found["rag"]["f1"] == {"mean": 0.5, "deviation": None, "values": {"2": 0.5}}
    assert seeds([]) == {}
    with pytest.raises(DataError, match="two runs have seed 1"):
        seeds([run(1, raft=0.1), run(1, raft=0.2)])


def test_rows_that_are_all_alike_are_not_certainty() -> None:
    assert estimate(MEAN, [0.0] * 20, generator(0)).high == pytest.approx(wilson(0, 20)[1])
    assert estimate(MACRO, [("yes", "yes")] * 20, generator(0)).low == pytest.approx(wilson(20, 20)[0])
    same = compare(SHARE, [1.0] * 20, [1.0] * 20, generator(0))
    assert (same.difference, same.p_value) == (0.0, 1.0)
    assert same.low < 0 < same.high


def test_stray_labels_do_not_push_the_value_out_of_its_interval() -> None:
    pairs = [("yes", "yes")] * 30 + [("no", f"stray {i}") for i in range(30)]
    found = estimate(MACRO, pairs, generator(0))
    assert found.value == pytest.approx(1 / 32)
    assert found.low <= found.value <= found.high


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
@settings(max_examples=25, deadline=None)
def test_shares_are_compared_by_the_exact_mcnemar_test(pairs: list[tuple[bool, bool]]) -> None:
    from scipy.stats import binomtest

    a, b = [float(pair[0]) for pair in pairs], [float(pair[1]) for pair in pairs]
    only_a, only_b = sum(x > y for x, y in pairs), sum(x < y for x, y in pairs)
    wanted = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert compare(SHARE, a, b, generator(0)).p_value == pytest.approx(wanted, abs=1e-9)


def test_a_comparison_turned_round_turns_its_sign() -> None:
    draw = random.Random(5)
    a, b = _study(200, 0.8, draw), _study(200, 0.5, draw)
    b = [(truth, label) for (truth, _), (_, label) in zip(a, b, strict=True)]
    there, back = compare(MACRO, a, b, generator(0)), compare(MACRO, b, a, generator(0))
    assert there.difference == pytest.approx(-back.difference)
    assert there.low <= there.difference <= there.high
    assert there.low == pytest.approx(-back.high, abs=0.02)
    assert there.p_value < 0.01
    assert back.p_value < 0.01


def test_a_clear_difference_is_found_and_pairing_helps() -> None:
    a = [i / 100 for i in range(100)]
    b = [max(0.0, x - 0.02) for x in a]
    found = compare(MEAN, a, b, generator(0))
    assert found.p_value < 0.001
    assert 0.018 < found.low <= found.high < 0.0201


def test_equal_replies_are_no_evidence() -> None:
    values = [i / 30 for i in range(30)]
    assert compare(MEAN, values, values, generator(0)).p_value == 1
    pairs = _study(30, 0.5, random.Random(4))
    assert compare(MACRO, pairs, pairs, generator(0)).p_value == 1


def test_arms_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        compare(MEAN, [1.0, 0.0], [1.0], generator(0))


@pytest.mark.slow
@pytest.mark.parametrize("metric", [SHARE, MEAN, MACRO], ids=["share", "mean", "macro_f1"])
def test_equal_arms_are_seldom_told_apart(metric: Metric) -> None:
    """Two arms of the same skill on the same items: p < 0.05 in about one study of twenty, not more."""
    draw = random.Random(6)
    studies, false_alarms = 200, 0
    for index in range(studies):
        truths = draw.choices(["yes", "no", "maybe"], [0.55, 0.34, 0.11], k=80)
        arms = [[_observed(metric, truth, draw) for truth in truths] for _ in range(2)]
        false_alarms += compare(metric, arms[0], arms[1], generator(index)).p_value < 0.05
    assert false_alarms / studies <= 0.09
    assert metric is SHARE or false_alarms / studies >= 0.01  # the exact test may be shy, the permutation test not


def _observed(metric: Metric, truth: str, draw: random.Random) -> Observation:
    label = _labels(truth, 0.5, draw)
    if metric is MACRO:
        return truth, label
    return float(label == truth) if metric is SHARE else draw.choice([0.0, 0.4, 1.0]) * (label == truth)


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_p_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for raw, held in zip(p_values, corrected, strict=True):
        assert raw - 1e-9 <= held <= min(1.0, raw * len(p_values)) + 1e-9
    ranks = sorted(range(len(p_values)), key=lambda index: p_values[index])
    assert [corrected[index] for index in ranks] == sorted(corrected)
