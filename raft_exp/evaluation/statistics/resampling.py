"""What intervals and tests are made of: generators by name, counted observations, resamples in blocks."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from raft_exp.evaluation.metrics import Counts, Figures

CONFIDENCE = 0.95
RESAMPLES = 2_000
PERMUTATIONS = 9_999
_CELLS_AT_ONCE = 4_000_000  # bounds the memory of a block of resamples (32 MB)
_PLACES = 12  # the last bits of a float sum differ between machines; the figures of a report must not


def generator(seed: int, *names: str) -> np.random.Generator:
    """The generator of one figure: the same for the same seed and names, whatever else is computed."""
    digest = hashlib.sha256("\x00".join([str(seed), *names]).encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def counted(observations: Sequence[Any]) -> tuple[list[Any], Counts]:
    """The distinct observations in their order, and how often each was made. ValueError without any."""
    if not observations:
        raise ValueError("no observations")
    counted = Counter(observations)
    cells = sorted(counted)
    return cells, np.array([counted[cell] for cell in cells], dtype=np.int64)


def bootstrap(figure: Callable[[Counts], Figures], counts: Counts, random: np.random.Generator) -> Figures:
    """The figure of RESAMPLES resamples of so many rows."""
    n = int(counts.sum())
    sizes = blocks(RESAMPLES, len(counts))
    return np.concatenate([figure(random.multinomial(n, counts / n, size=size)) for size in sizes])


def blocks(total: int, cells: int) -> Iterator[int]:
    """Splits `total` resamples into blocks that fit in memory; the random stream does not depend on the split."""
    size = max(1, _CELLS_AT_ONCE // cells)
    for start in range(0, total, size):
        yield min(size, total - start)


def middle(figures: Figures) -> tuple[float, float]:
    """The middle 95 % of the figures."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(figures, [tail, 1 - tail])
    return float(low), float(high)


def rounded(value: float) -> float:
    """A figure as it is written."""
    return round(value, _PLACES) + 0.0  # + 0.0: no "-0.0" in the files
