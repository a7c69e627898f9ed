"""Mixed sources: shares on average for every D, nested, each passage once."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.records import Passage
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.mixed import mixed_ranker
from tests.helpers.embeddings import question

SIZE = 400


@pytest.fixture(scope="module")
def guards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed")
    write_passages(folder, [Passage(str(i), str(i), "", f"text {i}", "", [f"text {i}"], "") for i in range(SIZE)])
    return DistractorFilter(Passages(folder), same_document=False, answer_allowed=True)


def fixed(ordinals):
    return lambda _: iter(ordinals)


@pytest.mark.slow
@given(
    st.lists(st.lists(st.integers(0, SIZE - 1), unique=True, max_size=30), min_size=1, max_size=4),
    st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
    st.integers(0, 99),
    st.text(max_size=5),
)
@settings(max_examples=1000, deadline=None)
def test_every_passage_of_every_source_comes_once_and_each_source_keeps_its_order(guards, lists, weights, seed, name):
    parts = {str(number): fixed(ordinals) for number, ordinals in enumerate(lists)}
    shares = dict(zip(parts, weights, strict=False))
    asked = question(name, gold=["7"])
    found = list(mixed_ranker(parts, shares, guards, seed)(asked))
    assert sorted(found) == sorted(set().union(*lists) - {7})
    reversed_parts = dict(reversed(parts.items()))
    assert found == list(mixed_ranker(reversed_parts, shares, guards, seed)(asked)), "the order of the YAML matters"
    if len(lists) == 1:
        assert found == [ordinal for ordinal in lists[0] if ordinal != 7]


@pytest.mark.parametrize("shares", [{"a": 0.5, "b": 0.5}, {"a": 0.2, "b": 0.3, "c": 0.5}, {"a": 0.9, "b": 0.1}])
@pytest.mark.parametrize("wanted", [1, 2, 3, 10])
def test_shares_hold_on_average_for_every_number_of_distractors(guards, shares, wanted):
    parts = {name: fixed(range(100 * place, 100 * place + 100)) for place, name in enumerate(shares)}
    rank = mixed_ranker(parts, shares, guards, seed=0)
    counts = Counter("abc"[ordinal // 100] for i in range(2000) for ordinal in islice(rank(question(f"q{i}")), wanted))
    for name, share in shares.items():
        assert counts[name] / counts.total() == pytest.approx(share, abs=0.03)


def test_one_question_has_the_shares_exactly_in_the_long_run(guards):
    parts = {"a": fixed(range(200)), "b": fixed(range(200, 400))}
    for i in range(20):
        found = list(islice(mixed_ranker(parts, {"a": 0.7, "b": 0.3}, guards, 1)(question(f"q{i}")), 100))
        assert sum(ordinal < 200 for ordinal in found) == pytest.approx(70, abs=2)


def test_what_the_guards_pass_over_does_not_cost_a_source_its_share(guards):
    parts = {"search": fixed(range(100)), "chance": fixed(range(200, 300))}  # the search finds the gold first
    rank = mixed_ranker(parts, {"search": 0.5, "chance": 0.5}, guards, 0)
    gold = [str(ordinal) for ordinal in range(10)]
    chosen = [guards.distractors(q, rank(q), 4) for q in (question(f"q{i}", gold=gold) for i in range(500))]
    assert np.mean([ordinal < 100 for row in chosen for ordinal in row]) == pytest.approx(0.5, abs=0.03)


def test_when_a_source_runs_dry_the_others_go_on(guards):
    parts = {"a": fixed([1]), "b": fixed(range(10, 60)), "c": fixed([])}
    assert len(list(mixed_ranker(parts, {"a": 0.8, "b": 0.1, "c": 0.1}, guards, 0)(question("q")))) == 51
