"""Seeded draws of a share, for corpora that are published without splits."""

from collections.abc import Iterable, Mapping
from itertools import accumulate

from raft_exp.core.sampling import HashSample, seeded_bits

_LARGE = 0.25  # share of the members: `draw_nearest` draws larger groups last


def draw_share(items: Iterable[str], share: float, seed: int, purpose: str, of: int | None = None) -> HashSample:
    """Draws round(share * of) of the items.

    `of`: by default the number of items; larger if some items were drawn before. With 0 < share < 1 and two or more
    items, at least one is drawn and at least one is left.
    """

    def count(total: int) -> int:
        wanted = round(share * (total if of is None else of))
        return min(max(wanted, 1), total - 1) if 0 < share < 1 and total > 1 else wanted

    return HashSample(items, count, seed, purpose)


def draw_groups(sizes: Mapping[str, int], share: float, seed: int, purpose: str, of: int) -> set[str]:
    """Draws whole groups in random order, up to round(share * of) members in total.

    `sizes`: group -> number of its members. If every group is larger than this total, the smallest group is drawn. With
    0 < share < 1 and two or more groups, at least one group is drawn and at least one is left.
    """
    wanted = round(share * of)
    if 0 < share < 1:
        wanted = max(wanted, 1)
    order = sorted(sizes, key=lambda name: seeded_bits(seed, purpose, name))
    drawn: set[str] = set()
    if not wanted or (share < 1 and len(order) < 2):
        return drawn
    left = wanted
    for name in order:
        if sizes[name] <= left and (share == 1 or len(drawn) + 1 < len(order)):
            drawn.add(name)
            left -= sizes[name]
    return drawn or {min(order, key=lambda name: sizes[name])}


def draw_nearest(sizes: Mapping[str, int], share: float, seed: int, purpose: str, of: int) -> set[str]:
    """Draws whole groups in random order, as many as bring the number of members nearest to share * of.

    Groups with more than a quarter of `of` come last in this order, so that one of them does not exceed a small share.
    A smaller draw is a subset of a larger one. `sizes`: group -> number of its members. With 0 < share < 1 and two or
    more groups, at least one group is drawn and at least one is left.
    """
    if not share or (share < 1 and len(sizes) < 2):
        return set()
    order = sorted(sizes, key=lambda name: (sizes[name] > _LARGE * of, seeded_bits(seed, purpose, name)))
    if share == 1:
        return set(order)
    totals = list(accumulate(sizes[name] for name in order))
    count = min(range(1, len(order)), key=lambda number: abs(totals[number - 1] - share * of))
    return set(order[:count])
