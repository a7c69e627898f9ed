"""Seeded choices by share, for corpora that are published without splits."""

from collections.abc import Iterable

from raft_exp.core.sampling import HashSample


def drawn(items: Iterable[str], share: float, seed: int, purpose: str) -> HashSample:
    """round(share * n) of n items; with 0 < share < 1 and n > 1, at least one item is chosen and one is left."""

    def count(total: int) -> int:
        whole = round(share * total)
        return min(max(whole, 1), total - 1) if 0 < share < 1 and total > 1 else whole

    return HashSample(items, count, seed, purpose)
