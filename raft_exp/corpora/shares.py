"""Seeded choices by share, for corpora that are published without splits."""

from collections.abc import Iterable

from raft_exp.core.sampling import HashSample


def draw_share(items: Iterable[str], share: float, seed: int, purpose: str, of: int | None = None) -> HashSample:
    """Draws round(share * of) of the items; `of` is their number by default, and larger where some were drawn before.

    With 0 < share < 1 and two or more items, at least one is drawn and at least one is left.
    """

    def count(total: int) -> int:
        wanted = round(share * (total if of is None else of))
        return min(max(wanted, 1), total - 1) if 0 < share < 1 and total > 1 else wanted

    return HashSample(items, count, seed, purpose)
