"""Helper functions of intervals and tests: random generators, counts of observations, and bootstrap resamples."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from raft_exp.evaluation.metrics import Counts, Figures, Observation

CONFIDENCE = 0.95
RESAMPLES = 2_000
PERMUTATIONS = 9_999
_CELLS_AT_ONCE = 4_000_000  # bounds the memory of a block of resamples (32 MB)
_DECIMALS = 12  # of a figure: the last bits of a float sum differ between machines

T = TypeVar("T", bound=Observation)


def generator(seed: int, *names: str) -> np.random.Generator:
    """Returns a random generator that depends only on the seed and the names (metric, arms) of a figure."""
    digest = hashlib.sha256("\x00".join([str(seed), *names]).encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def counted(observations: Sequence[T]) -> tuple[list[T], Counts]:
    """Returns the M distinct observations, sorted, and their counts, shape (M,).

    Raises ValueError if there are no observations.
    """
    if not observations:
        raise ValueError("no observations")
    numbers = Counter(observations)
    cells = sorted(numbers)
    return cells, np.array([numbers[cell] for cell in cells], dtype=np.int64)


def bootstrap(figure: Callable[[Counts], Figures], counts: Counts, random: np.random.Generator) -> Figures:
    """Returns the figures of bootstrap resamples, shape (RESAMPLES,).

    `figure`: function from the counts of B samples, shape (B, M), to their figures, shape (B,). `counts`: shape (M,),
    how often each distinct observation occurs.
    """
    n = int(counts.sum())
    sizes = blocks(RESAMPLES, len(counts))
    return np.concatenate([figure(random.multinomial(n, counts / n, size=size)) for size in sizes])


def blocks(total: int, cells: int) -> Iterator[int]:
    """Splits `total` resamples of `cells` counts each into blocks that fit in memory, and yields the blocks' sizes.

    The random numbers do not depend on the split.
    """
    size = max(1, _CELLS_AT_ONCE // cells)
    for start in range(0, total, size):
        yield min(size, total - start)


def middle(figures: Figures) -> tuple[float, float]:
    """Returns the 2.5% and 97.5% quantiles of the figures."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(figures, [tail, 1 - tail])
    return float(low), float(high)


def rounded(value: float) -> float:
    """Rounds a figure to 12 decimals, as in all result files."""
    return round(value, _DECIMALS) + 0.0  # + 0.0: no "-0.0" in the files
