"""Metrics of refusals: by hand, and against a plain computation over single replies."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.evaluation.metrics import ABSTENTION, METRICS, Graded, profile
from raft_exp.evaluation.metrics.abstention import Outcome, Pair, curve, observations
from raft_exp.evaluation.metrics.conflict import follows_false_passage
from raft_exp.evaluation.statistics import compare, compare_over_seeds, estimate, estimate_over_seeds, generator
from tests.helpers.worlds import MANY

REFUSES, WRONG, RIGHT, EMPTY = Outcome(1, 0, 0), Outcome(0, 1, 0), Outcome(0, 1, 1), Outcome(0, 0, 0)
KINDS = st.sampled_from([REFUSES, WRONG, RIGHT, EMPTY])
OUTCOMES = st.builds(lambda kind, place: kind._replace(log_probability=-place / 7), KINDS, st.integers(0, 20))
PAIRS = st.lists(st.builds(Pair, OUTCOMES, OUTCOMES), min_size=1, max_size=12)


def values(pairs: list[Pair]) -> dict[str, float]:
    one = {name: np.ones((1, len(of)), dtype=np.int64) for name, of in observations(pairs).items()}
    return {name: float(METRICS[name].aggregate(of, one[name])[0]) for name, of in observations(pairs).items()}


def test_the_figures_of_four_questions() -> None:
    found = values([Pair(RIGHT, REFUSES), Pair(RIGHT, REFUSES), Pair(REFUSES, WRONG), Pair(WRONG, EMPTY)])
    assert found == pytest.approx(
        {
            "refusal_precision": 2 / 3,
            "refusal_recall": 2 / 4,
            "refusal_f1": 4 / 7,
            "invented_answers": 1 / 4,
            "selective_accuracy": 2 / 4,
            "coverage": 4 / 8,
        }
    ), "without log probabilities there is no curve"


@MANY
@given(PAIRS)
def test_the_figures_are_those_of_single_replies(pairs: list[Pair]) -> None:
    found = values(pairs)
    gold, none = [pair.with_gold for pair in pairs], [pair.without_gold for pair in pairs]
    refused, right = sum(one.refuses for one in gold + none), sum(one.refuses for one in none)
    assert ("refusal_precision" in found) == (refused > 0)
    recall, precision = right / len(none), found.get("refusal_precision", 0.0)
    assert precision == pytest.approx(right / refused if refused else 0)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    assert found["refusal_f1"] == pytest.approx(f1)
    assert found["refusal_recall"] == pytest.approx(recall)
    assert found["invented_answers"] == pytest.approx(sum(one.answers for one in none) / len(none))
    assert found["coverage"] == pytest.approx(sum(one.answers for one in gold + none) / (2 * len(pairs)))


def rank(outcome: Outcome) -> float:
    known = outcome.log_probability
    return known if outcome.answers and known is not None else -math.inf


@MANY
@given(PAIRS)
def test_the_area_lies_under_the_drawn_curve(pairs: list[Pair]) -> None:
    found, points = values(pairs), curve(pairs, most=10_000)
    replies = [one for pair in pairs for one in pair]
    assert points[-1] == pytest.approx([1.0, 1 - sum(one.right for one in replies) / len(replies)], abs=1e-6)
    ranks = sorted({rank(one) for one in replies}, reverse=True)
    for (coverage, risk), lowest in zip(points, ranks, strict=True):
        accepted = [one for one in replies if rank(one) >= lowest]
        assert coverage == pytest.approx(len(accepted) / len(replies), abs=1e-6)
        assert risk == pytest.approx(1 - sum(one.right for one in accepted) / len(accepted), abs=1e-6)
    steps = zip([(0.0, points[0][1]), *points[:-1]], points, strict=True)
    area = sum((after[0] - before[0]) * (after[1] + before[1]) / 2 for before, after in steps)
    if any(one.answers for one in replies):
        assert found["risk_coverage_area"] == pytest.approx(area, abs=1e-5)
    else:
        assert "risk_coverage_area" not in found


@settings(max_examples=10, deadline=None)
@given(PAIRS, PAIRS)
def test_every_metric_has_intervals_and_paired_tests(one: list[Pair], other: list[Pair]) -> None:
    size = min(len(one), len(other))
    left, right = observations(one[:size]), observations(other[:size])
    for name in left.keys() & right.keys():
        metric = METRICS[name]
        figure = estimate(metric, left[name], generator(0, name))
        assert 0 <= figure.low <= figure.value <= figure.high <= 1
        difference = compare(metric, left[name], right[name], generator(0, name))
        assert difference.difference == pytest.approx(figure.value - estimate(metric, right[name], generator(0)).value)
        assert 0 < difference.p_value <= 1
        seeds = [{f"{seed}-{place}": value for place, value in enumerate(left[name])} for seed in (1, 2)]
        assert estimate_over_seeds(metric, seeds).value == pytest.approx(figure.value)
        assert compare_over_seeds(metric, seeds, seeds).difference == 0


def test_confident_right_answers_have_a_smaller_area() -> None:
    good = [Pair(RIGHT._replace(log_probability=-0.1), WRONG._replace(log_probability=-2.0))] * 5
    bad = [Pair(RIGHT._replace(log_probability=-2.0), WRONG._replace(log_probability=-0.1))] * 5
    assert values(good)["risk_coverage_area"] < values(bad)["risk_coverage_area"]
    assert values(good)["selective_accuracy"] == values(bad)["selective_accuracy"]


@pytest.mark.parametrize(
    ("prediction", "lenient", "follows"),
    [("Lyon", "Lyon", 1), ("the lyon.", "", 1), ("", "Lyon", 1), ("Paris", "Paris", 0), ("Lyon and Paris", "", 0)],
)
def test_a_reply_follows_the_false_passage_if_it_is_the_false_answer(prediction, lenient, follows) -> None:
    normalize = profile("hotpotqa").normalize
    row = Graded(["Paris"], prediction, prediction, normalize, lenient, planted="Lyon")
    assert follows_false_passage(row) == follows
    assert follows_false_passage(Graded(["Paris"], "", "", normalize)) == 0, "no false passage, no reply"


def test_no_setting_names_these_metrics() -> None:
    assert set(ABSTENTION) <= set(METRICS)
    for name in (*ABSTENTION, "follows_false_passage"):
        assert METRICS[name].automatic
        assert METRICS[name].observe is None or name == "follows_false_passage"
