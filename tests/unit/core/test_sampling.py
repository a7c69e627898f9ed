"""Seeded samples: their size, which items they hold, and that small ones are subsets of larger ones."""

from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.sampling import HashSample, subsample

names = st.sets(st.text(max_size=6), max_size=30)


@given(names, names, st.integers(0, 40), st.integers(0, 3))
def test_a_sample_holds_only_items_that_it_was_drawn_from(items, others, most, seed):
    sample = subsample(items, most, seed)
    drawn = {item for item in items | others if item in sample}
    assert drawn <= items
    assert len(drawn) == len(sample) == min(most, len(items))


@given(names, st.integers(0, 40), st.integers(0, 40))
def test_a_smaller_sample_is_a_subset_of_a_larger_one(items, one, two):
    small, large = (subsample(items, most, 0) for most in sorted((one, two)))
    assert all(item in large for item in items if item in small)


def test_the_whole_of_a_set_holds_nothing_else():
    sample = HashSample([str(n) for n in range(100)], lambda n: n, 0, "items")
    assert not [n for n in range(100, 10_000) if str(n) in sample]
