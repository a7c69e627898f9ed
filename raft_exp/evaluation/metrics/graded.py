"""What a metric looks at, and what it is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Normalize = Callable[[str], str]
Facts = frozenset[tuple[str, int]]  # sentences: passage id and number
Counts = NDArray[np.int64]
Figures = NDArray[np.float64]
Aggregate = Callable[[Sequence[Any], Counts], Figures]
Vectors = Callable[[Sequence[str]], NDArray[np.float32]]  # texts -> (texts, dimensions), each of length 1


@dataclass(frozen=True)
class Graded:
    """One reply beside its gold answers. `prediction` is what stands after the answer marker, `raw` the whole reply."""

    answers: Sequence[str]
    prediction: str
    raw: str
    normalize: Normalize
    lenient: str = ""  # the answer that was found in the reply in whatever form (raft_exp.prompts.lenient)
    facts: Facts = frozenset()  # the sentences that support the answer
    quoted: Facts = frozenset()  # those that the reply quotes


Batch = Callable[[Sequence[Graded], Vectors], Sequence[float]]


def mean(values: Sequence[float], counts: Counts) -> Figures:
    """The means of B samples, (B,); `counts` (B, M) says how often each of the M `values` stands in each sample."""
    result: Figures = counts @ np.asarray(values, dtype=np.float64) / counts.sum(axis=1)
    return result


@dataclass(frozen=True)
class Metric:
    """Looks at rows one by one (`observe`), or at all of an arm's at once (`batch`, for those that ask a model).

    `share`: each row is worth 0 or 1, so that exact methods hold (Wilson, McNemar).
    `of_quotes`: it is about what a reply quotes, and an arm that is not asked to reason does not have it.
    """

    observe: Callable[[Graded], Any] | None = None
    share: bool = False
    aggregate: Aggregate = mean
    of_quotes: bool = False
    batch: Batch | None = None

    @property
    def per_row(self) -> bool:
        """Whether a single row has a value of its own."""
        return self.aggregate is mean
