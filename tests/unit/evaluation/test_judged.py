"""Figures of an imperfect judge, corrected by labels, and its agreement with the labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.evaluation import statistics
from raft_exp.evaluation.statistics import FEWEST_LABELS, Judged

SHARE = st.floats(0, 1)
VERDICT = st.sampled_from([0.0, 1.0])


def random(name="a study"):
    return statistics.generator(0, name)


def drawn(generator, share, called_right, labels, n=300):
    """Replies of which `share` are right. `called_right`: the shares of right and wrong ones that the judge accepts."""
    true = generator.random(n) < share
    judged = generator.random(n) < np.where(true, *called_right)
    return Judged(judged.astype(float).tolist(), [*true[:labels].astype(float).tolist(), *[None] * (n - labels)])


@pytest.mark.slow
@given(st.lists(st.tuples(SHARE, SHARE), min_size=FEWEST_LABELS, max_size=40), st.lists(SHARE, max_size=40))
def test_a_corrected_figure_lies_in_its_interval(labelled, others):
    judgements = [judged for judged, _ in labelled] + others
    labels = [*(label for _, label in labelled), *[None] * len(others)]
    found = statistics.corrected(Judged(judgements, labels), random())
    assert 0 <= found.low <= found.value <= found.high <= 1
    if not others:
        assert found.value == pytest.approx(np.mean([label for _, label in labelled]), abs=1e-6)


@given(
    st.lists(st.tuples(VERDICT, VERDICT), min_size=FEWEST_LABELS, max_size=40),
    st.lists(VERDICT, min_size=1, max_size=60),
)
def test_verdicts_are_weighted_by_what_the_judge_says_of_all_replies(labelled, others):
    """Tenenbein's estimate: the labels' share among accepted and among rejected replies, weighted by their numbers."""
    judgements = [judged for judged, _ in labelled] + others
    labels = [*(label for _, label in labelled), *[None] * len(others)]
    found = statistics.corrected(Judged(judgements, labels), random())
    accepted = np.mean(judgements)
    rates = [np.mean([label for judged, label in labelled if judged == value] or [0.5]) for value in (1, 0)]
    assert found.value == pytest.approx(accepted * rates[0] + (1 - accepted) * rates[1], abs=1e-5)


def test_the_judge_that_favours_an_arm_is_corrected():
    """Two equal arms: the judge's own shares differ by far. 120 studies of 40 labelled questions."""
    generator, held, raw = random("favours"), 0, []
    values = []
    for _ in range(120):
        a, b = drawn(generator, 0.6, (0.98, 0.5), 40), drawn(generator, 0.6, (0.7, 0.05), 40)
        found = statistics.corrected_difference(a, b, generator)
        held += found.low <= 0 <= found.high
        values.append(found.difference)
        raw.append(np.mean(a.judgements) - np.mean(b.judgements))
    assert np.mean(raw) > 0.3
    assert abs(np.mean(values)) < 0.03
    assert held >= 0.9 * 120


def test_more_labels_and_a_better_judge_give_shorter_intervals():
    def width(called_right, labels):
        found = statistics.corrected(drawn(random("width"), 0.7, called_right, labels), random())
        return found.high - found.low

    useless, good, perfect = ((0.6, 0.6), (0.95, 0.05), (1.0, 0.0))
    assert width(perfect, 100) < width(good, 100) < width(useless, 100) < width(useless, 30)
    low, high = statistics.wilson(70, 100)
    assert width(useless, 100) < 1.1 * (high - low), "a useless judge costs nothing"


def test_missing_judgements_are_no_wrong_replies():
    """All right replies have no judgement: the labels still say how many there are."""
    labels = [1.0] * 15 + [0.0] * 15
    found = statistics.corrected(Judged([*[None] * 15, *[0.0] * 15] * 10, labels + [None] * 270), random())
    assert found.low <= 0.5 <= found.high
    assert found.value == pytest.approx(0.5)
    nothing = statistics.corrected(Judged([None] * 300, labels + [None] * 270), random())
    assert nothing.value == pytest.approx(0.5)


def test_too_few_labels_give_no_figure():
    with pytest.raises(ValueError, match="got 19 labels; 20 are needed"):
        statistics.corrected(drawn(random(), 0.5, (1, 0), FEWEST_LABELS - 1), random())
    a = Judged([1.0] * 40, [1.0] * 25 + [None] * 15)
    b = Judged([1.0] * 40, [None] * 15 + [1.0] * 25)
    with pytest.raises(ValueError, match="got 10 labels"):
        statistics.corrected_difference(a, b, random())


def test_the_difference_is_that_of_the_two_figures():
    a, b = drawn(random("a"), 0.8, (0.9, 0.2), 60), drawn(random("b"), 0.5, (0.8, 0.1), 60)
    found, other = statistics.corrected_difference(a, b, random()), statistics.corrected_difference(b, a, random())
    each = [statistics.corrected(arm, random()).value for arm in (a, b)]
    assert found.difference == pytest.approx(each[0] - each[1])
    assert found.difference == pytest.approx(-other.difference)
    assert found.low <= found.difference <= found.high


def kappa(questions):
    found = statistics.kappa(questions, random())
    assert found is not None
    return found


def test_kappa_is_cohens():
    table = [*[(1.0, 1.0)] * 20, *[(1.0, 0.0)] * 5, *[(0.0, 1.0)] * 10, *[(0.0, 0.0)] * 15]
    found = kappa([[pair] for pair in table])
    assert found.value == pytest.approx(0.4), "0.7 agree, 0.5 by chance"
    assert 0.05 < found.low < 0.4 < found.high < 0.75
    assert kappa([[(1.0, 1.0), (0.0, 0.0)]] * 10).value == 1
    assert kappa([[(1.0, 0.0)], [(0.0, 1.0)]] * 10).value == -1
    assert -1 <= kappa([[(1.0, 1.0), (1.0, 0.0)]]).low <= kappa([[(1.0, 1.0), (1.0, 0.0)]]).high <= 1, "one question"
    assert statistics.kappa([[(1.0, 1.0)]] * 30, random()) is None
    assert statistics.kappa([], random()) is None


def test_kappa_of_shares_has_quadratic_weights():
    pairs = [(0.0, 0.5), (0.5, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 0.0)]
    judged, label = np.array(pairs).T
    by_chance = np.mean((judged[:, None] - label[None, :]) ** 2)
    found = kappa([[pair] for pair in pairs])
    assert found.value == pytest.approx(1 - np.mean((judged - label) ** 2) / by_chance)
