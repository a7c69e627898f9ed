"""Draws of whole groups."""

from hypothesis import given
from hypothesis import strategies as st

from raft_exp.corpora.shares import draw_nearest

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=12).map(
    lambda sizes: {f"g{n}": s for n, s in enumerate(sizes)}
)


@given(SIZES, st.floats(0, 1), st.floats(0, 1), st.integers(0, 9))
def test_a_larger_share_draws_more_of_the_same(sizes, one, other, seed):
    total = sum(sizes.values())
    small, large = (draw_nearest(sizes, share, seed, "test", total) for share in sorted((one, other)))
    assert small <= large
    if len(sizes) > 1 and 0 < one < 1:
        assert 0 < len(draw_nearest(sizes, one, seed, "test", total)) < len(sizes)


@given(SIZES, st.floats(0.01, 0.99), st.integers(0, 9))
def test_the_share_is_nearer_than_half_of_the_next_group(sizes, share, seed):
    total, wanted = sum(sizes.values()), share * sum(sizes.values())
    drawn = sum(sizes[name] for name in draw_nearest(sizes, share, seed, "test", total))
    small = [size for size in sizes.values() if size <= total / 4]
    if small and max(small) / 2 <= wanted <= sum(small) and len(small) < len(sizes):
        assert abs(drawn - wanted) <= max(small) / 2


def test_a_group_with_most_members_is_not_drawn_for_a_small_share():
    sizes = {"large": 28, "a": 12, "b": 10}
    for seed in range(20):
        assert draw_nearest(sizes, 0.2, seed, "test", 50) in ({"a"}, {"b"})
