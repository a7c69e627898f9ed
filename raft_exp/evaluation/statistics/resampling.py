"""Building blocks of intervals and tests: named generators, counted observations, resamples in blocks."""

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
    """The random generator of one figure; it depends only on the seed and the names."""
    digest = hashlib.sha256("\x00".join([str(seed), *names]).encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def counted(observations: Sequence[T]) -> tuple[list[T], Counts]:
    """The M distinct observations, sorted, and the count of each, (M,). Raises ValueError without observations."""
    if not observations:
        raise ValueError("no observations")
    numbers = Counter(observations)
    cells = sorted(numbers)
    return cells, np.array([numbers[cell] for cell in cells], dtype=np.int64)


def bootstrap(figure: Callable[[Counts], Figures], counts: Counts, random: np.random.Generator) -> Figures:
    """The figures of RESAMPLES resamples, (RESAMPLES,); `counts` (M,) counts the distinct observations."""
    n = int(counts.sum())
    sizes = blocks(RESAMPLES, len(counts))
    return np.concatenate([figure(random.multinomial(n, counts / n, size=size)) for size in sizes])


def blocks(total: int, cells: int) -> Iterator[int]:
    """Sizes of blocks of `total` resamples that fit in memory; the random stream does not depend on the split."""
    size = max(1, _CELLS_AT_ONCE // cells)
    for start in range(0, total, size):
        yield min(size, total - start)


def middle(figures: Figures) -> tuple[float, float]:
    """The middle 95% of the figures."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(figures, [tail, 1 - tail])
    return float(low), float(high)


def rounded(value: float) -> float:
    """A figure as it is written to files: 12 decimals."""
    return round(value, _DECIMALS) + 0.0  # + 0.0: no "-0.0" in the files
