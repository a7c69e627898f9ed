"""Seeded choices by share, for corpora that split what was published in one piece."""

from collections.abc import Iterable

from raft_exp.core.sampling import HashSample


def drawn(items: Iterable[str], share: float, seed: int, purpose: str) -> HashSample:
    """round(share * n) of the items; with 0 < share < 1 and two items or more, at least one on either side."""

    def count(total: int) -> int:
        whole = round(share * total)
        return min(max(whole, 1), total - 1) if 0 < share < 1 and total > 1 else whole

    return HashSample(items, count, seed, purpose)
