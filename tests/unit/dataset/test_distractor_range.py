"""A range of distractors: each question has its own number, and ranges are nested."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from raft_exp.core.errors import ConfigError, DataError
from raft_exp.dataset.context_stats import ShortContextCounter
from raft_exp.dataset.contexts import gold_rows
from raft_exp.dataset.distractor_count import DistractorRange, at_most, of_question
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.stages import stages_of
from tests.helpers.worlds import MANY, study, worlds

SEEDS, SMALL = st.integers(0, 2**16), st.integers(0, 4)


@st.composite
def ranges(draw) -> DistractorRange:
    low = draw(SMALL)
    return DistractorRange(low, low + draw(SMALL))


@pytest.mark.slow
@MANY
@given(worlds(), ranges(), st.floats(0, 1), SEEDS)
def test_a_row_of_a_range_is_the_row_of_its_own_number(world, count, p, seed):
    with study(world) as made:
        rows = made.ask(p=p, num_distractors=count, seed=seed)
        for name, row in rows.items():
            number = of_question(count, seed, name)
            assert count.min <= number <= count.max
            assert row == made.ask(p=p, num_distractors=number, seed=seed)[name]


@MANY
@given(worlds(), ranges(), SMALL, SMALL, SEEDS)
def test_a_wider_range_changes_rows_only_to_its_new_numbers(world, count, below, above, seed):
    wider = DistractorRange(max(0, count.min - below), count.max + above)
    with study(world) as made:
        rows, wide = (made.ask(num_distractors=each, seed=seed) for each in (count, wider))
        for name, row in rows.items():
            number = of_question(wider, seed, name)
            if count.min <= number <= count.max:
                assert row == wide[name]
            elif number > count.max:  # the same passages, and further ones of the same ranking
                assert set(row.context or []) <= set(wide[name].context or [])


def test_each_number_of_a_range_is_equally_frequent():
    counts = Counter(of_question(DistractorRange(0, 8), 1, f"q{number}") for number in range(4500))
    assert chisquare([counts[number] for number in range(9)]).pvalue > 1e-4


def test_the_numbers_depend_on_the_seed_and_not_on_the_rows_with_gold():
    names, count = [f"q{number}" for number in range(400)], DistractorRange(0, 4)
    first, second = ([of_question(count, seed, name) for name in names] for seed in (1, 2))
    assert first != second
    gold = gold_rows(names, 0.5, 1)
    counts = [Counter(of_question(count, 1, name) for name in names if (name in gold) == has) for has in (True, False)]
    assert chi2_contingency([[of[number] for number in range(5)] for of in counts]).pvalue > 1e-4


@MANY
@given(worlds(), st.floats(0, 1), st.integers(0, 2), st.integers(1, 20), SEEDS)
def test_too_few_for_a_range_is_an_error_with_a_range_that_helps(world, p, low, more, seed):
    count = DistractorRange(low, low + more)
    with study(world) as made:

        def ask(**how):
            return made.ask(**{"p": p, "seed": seed, "num_distractors": count, "allow_fewer": False} | how)

        counter = ShortContextCounter(made.passages, count, seed, constant_size=True)
        rows = len(list(counter.watch(iter(ask(allow_fewer=True).values()))))
        if not (short := counter.rows["train"]):
            assert len(ask()) == rows
            return
        with pytest.raises(DataError) as error:
            ask()
        message = str(error.value)
        assert f"(dataset.num_distractors={{min:{low},max:{low + more}}}" in message
        assert f"and {short} of {rows} train questions have too few" in message
        if fewer := re.search(r"; set dataset\.num_distractors=(?:\{min:(\d+),max:(\d+)\}|(\d+))", message):
            ends = [int(end) for end in fewer.groups() if end is not None]
            assert ask(num_distractors=DistractorRange(*ends) if len(ends) == 2 else ends[0])


@pytest.mark.parametrize(
    ("count", "limit", "left"),
    [(DistractorRange(2, 8), 5, DistractorRange(2, 5)), (DistractorRange(2, 8), 2, 2), (DistractorRange(2, 8), 1, 1)],
)
def test_the_part_of_a_range_below_a_limit(count, limit, left):
    assert at_most(count, limit) == left


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{min:5,max:2}", r"^dataset\.num_distractors: got \{min:5,max:2\}, whose min is above its max; swap"),
        ("{min:2}", r"^dataset\.num_distractors: got \{'min': 2\}; a range has min and max, as in dataset\.num_dist"),
        ("{min:-1,max:2}", r"^dataset\.num_distractors\.min: got -1; must be greater than or equal to 0"),
        ("{min:0,max:2.5}", r"^dataset\.num_distractors\.max: got 2\.5; must be a valid integer"),
        ("{min:0,max:2,step:1}", r"^dataset\.num_distractors\.step: no such setting"),
        ("many", r"^dataset\.num_distractors: got 'many'; must be a valid integer"),
        ("{min:0,max:4} dataset.constant_size=false", r"got \{min:0,max:4\} with dataset\.constant_size=false and"),
    ],
)
def test_an_impossible_range_is_refused_in_one_line(value, message):
    with pytest.raises(ConfigError, match=message):
        parse(compose(*f"dataset.num_distractors={value}".split(" ")))


def test_a_range_changes_the_training_rows_and_not_the_test():
    few, many = (stages_of(f"dataset.num_distractors={count}") for count in (4, "{min:0,max:4}"))
    changed = {label for label in few if few[label].key != many[label].key}
    assert changed == {"dataset[raft]", "train[raft]", "evaluate[raft]", "report"}
