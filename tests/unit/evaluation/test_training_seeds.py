"""Figures and differences over several training seeds: known values, symmetries, coverage, what is refused."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t, ttest_1samp

from raft_exp.evaluation.metrics import METRICS, Observation
from raft_exp.evaluation.statistics import compare, compare_over_seeds, estimate, estimate_over_seeds, generator

SHARE, MEAN, MACRO = METRICS["exact_match"], METRICS["f1"], METRICS["macro_f1"]
Replies = list[dict[str, float]]


def seeds_of(values: list[list[float]], *, same: bool) -> Replies:
    """The observations of each seed, on the same questions or on questions of its own."""
    return [
        {(f"q{place}" if same else f"{seed} q{place}"): value for place, value in enumerate(row)}
        for seed, row in enumerate(values)
    ]


def rows(seeds: int, questions: int, shares: tuple[float, ...], draw: np.random.Generator) -> list[list[float]]:
    return [(draw.random(questions) < shares[seed % len(shares)]).astype(float).tolist() for seed in range(seeds)]


@pytest.mark.parametrize("number", [3, 4, 10])
def test_with_questions_of_their_own_the_seeds_are_compared_by_the_t_test(number: int) -> None:
    draw = np.random.default_rng(number)
    a, b = rows(number, 200, (0.5, 0.7, 0.8), draw), rows(number, 200, (0.5, 0.4, 0.3), draw)
    found = compare_over_seeds(SHARE, seeds_of(a, same=False), seeds_of(b, same=False))
    differences = [np.mean(x) - np.mean(y) for x, y in zip(a, b, strict=True)]
    wanted = ttest_1samp(differences, 0)
    assert found.df == number - 1
    assert found.p_value == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval()
    assert (found.low, found.high) == pytest.approx((max(-1, interval.low), min(1, interval.high)))
    assert found.difference == pytest.approx(np.mean(differences))


def test_replies_that_no_training_changes_have_the_interval_of_one_run() -> None:
    row = rows(1, 300, (0.6,), np.random.default_rng(1))[0]
    alone = estimate(SHARE, row, generator(0))
    often = estimate_over_seeds(SHARE, seeds_of([row] * 4, same=True))
    assert often.df == pytest.approx(299)
    assert (often.low, often.high) == pytest.approx((alone.low, alone.high), abs=1e-3)
    other = rows(1, 300, (0.5,), np.random.default_rng(2))[0]
    once = compare(SHARE, row, other, generator(0))
    again = compare_over_seeds(SHARE, seeds_of([row] * 4, same=True), seeds_of([other] * 4, same=True))
    assert (again.low, again.high) == pytest.approx((once.low, once.high), abs=0.01)


def test_seeds_that_agree_by_chance_are_not_certainty() -> None:
    draw = np.random.default_rng(3)
    row = rows(1, 300, (0.65,), draw)[0]
    worlds = [draw.permutation(row).tolist() for _ in range(3)]
    lower = [draw.permutation([1.0] * 150 + [0.0] * 150).tolist() for _ in range(3)]
    figure = estimate_over_seeds(SHARE, seeds_of(worlds, same=False))
    assert figure.high - figure.low > 0.02
    found = compare_over_seeds(SHARE, seeds_of(worlds, same=False), seeds_of(lower, same=False))
    assert found.p_value > 1e-4
    nothing = seeds_of([[0.0] * 100] * 3, same=False)
    assert estimate_over_seeds(SHARE, nothing).high > 0.01
    none = compare_over_seeds(SHARE, nothing, nothing)
    assert (none.difference, none.p_value) == (0, 1)
    assert none.low < 0 < none.high


VALUES = st.sampled_from([0.0, 0.4, 1.0])


@st.composite
def studies(draw: st.DrawFn) -> tuple[Replies, Replies]:
    """Two arms in two to four seeds; each seed has some of the same questions."""
    seeds = draw(st.lists(st.sets(st.integers(0, 12), min_size=1), min_size=2, max_size=4))
    a, b = ([{str(q): draw(VALUES) for q in sorted(questions)} for questions in seeds] for _ in range(2))
    return a, b


def labels(arm: Replies) -> Sequence[Mapping[str, Observation]]:
    """The replies as pairs of true and predicted label."""
    return [{question: ("yes", f"{value}") for question, value in seed.items()} for seed in arm]


@given(studies(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_and_names_change_nothing_and_turning_round_turns_the_sign(
    study: tuple[Replies, Replies], any_order
) -> None:
    for metric in (MEAN, MACRO):
        a, b = (labels(arm) if metric is MACRO else arm for arm in study)
        found = compare_over_seeds(metric, a, b)
        assert -1 <= found.low <= found.difference <= found.high <= 1
        assert 0 <= found.p_value <= 1
        questions = len({name for seed in a for name in seed})
        assert min(len(a) - 1, max(1, questions - 1)) <= found.df + 1e-9
        back = compare_over_seeds(metric, b, a)
        assert (back.difference, back.low, back.high) == pytest.approx((-found.difference, -found.high, -found.low))
        order = list(range(len(a)))
        any_order.shuffle(order)
        renamed = [
            [dict(sorted(((f"x{q}", v) for q, v in arm[s].items()), reverse=True)) for s in order] for arm in (a, b)
        ]
        assert vars(compare_over_seeds(metric, *renamed)) == pytest.approx(vars(found))
        figure = estimate_over_seeds(metric, a)
        assert 0 <= figure.low <= figure.value <= figure.high <= 1


def test_the_variance_of_a_figure_that_is_no_mean_is_that_of_the_bootstrap() -> None:
    draw = np.random.default_rng(5)
    truths = draw.choice(["yes", "no", "maybe"], 400, p=[0.5, 0.35, 0.15])
    said = np.where(draw.random(400) < 0.6, truths, draw.choice(["yes", "no", "maybe"], 400))
    row = list(zip(truths.tolist(), said.tolist(), strict=True))
    alone = estimate(MACRO, row, generator(0))
    often = estimate_over_seeds(MACRO, [{str(place): value for place, value in enumerate(row)}] * 3)
    assert often.value == pytest.approx(alone.value)
    assert (often.low, often.high) == pytest.approx((alone.low, alone.high), abs=0.01)


def trained(draw: np.random.Generator, deviation: float, same: bool) -> tuple[Replies, Replies]:
    """Two arms of skill 0.65 whose trainings differ; 3 seeds with 300 questions each."""
    hard = draw.standard_normal((1 if same else 3, 300))
    arms = []
    for _ in range(2):
        luck = 0.8 * hard + 0.6 * draw.standard_normal((3, 300))
        skills = 0.65 + draw.normal(0, deviation, 3)
        bar = [np.quantile(np.random.default_rng(0).standard_normal(20_000), skill) for skill in skills]
        arms.append(seeds_of((luck < np.array(bar)[:, None]).astype(float).tolist(), same=same))
    return arms[0], arms[1]


@pytest.mark.slow
@pytest.mark.parametrize("same", [True, False], ids=["same questions", "own questions"])
@pytest.mark.parametrize("deviation", [0.0, 0.03])
def test_two_trainings_of_one_recipe_are_seldom_told_apart(same: bool, deviation: float) -> None:
    draw = np.random.default_rng(7)
    studies = [trained(draw, deviation, same) for _ in range(300)]
    alarms = sum(compare_over_seeds(SHARE, a, b).p_value < 0.05 for a, b in studies)
    held = [figure.low <= 0.65 <= figure.high for figure in (estimate_over_seeds(SHARE, a) for a, _ in studies)]
    assert alarms / 300 <= 0.08
    assert 0.92 <= np.mean(held) <= 0.985


@pytest.mark.slow
def test_what_is_detectable_is_found_most_of_the_time() -> None:
    draw = np.random.default_rng(8)

    def study(skill: float) -> tuple[Replies, Replies]:
        a, b = rows(5, 300, (skill,), draw), rows(5, 300, (0.5,), draw)
        return seeds_of(a, same=False), seeds_of(b, same=False)

    size = float(np.mean([compare_over_seeds(SHARE, *study(0.5)).detectable for _ in range(50)]))
    found = np.mean([compare_over_seeds(SHARE, *study(0.5 + size)).p_value < 0.05 for _ in range(200)])
    assert 0.7 <= found <= 0.9


def test_two_seeds_have_one_degree_of_freedom() -> None:
    draw = np.random.default_rng(9)
    a = seeds_of(rows(2, 300, (0.5, 0.8), draw), same=False)
    found = estimate_over_seeds(SHARE, a)
    assert found.df == 1
    assert found.high - found.low > 0.8 * min(1.0, 2 * float(t.ppf(0.975, 1)) * 0.15)


def test_what_cannot_be_pooled_is_refused() -> None:
    one, other = seeds_of([[1.0, 0.0]], same=True), seeds_of([[1.0, 0.0]] * 2, same=False)
    with pytest.raises(ValueError, match="two seeds"):
        estimate_over_seeds(SHARE, one)
    with pytest.raises(ValueError, match="different questions"):
        compare_over_seeds(SHARE, other, other[::-1])
    with pytest.raises(ValueError, match="no observations"):
        estimate_over_seeds(SHARE, [*one, {}])
