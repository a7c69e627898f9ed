"""The input of a metric (`Graded`) and its definition (`Metric`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from raft_exp.evaluation.metrics.comparison import Comparison

Facts = frozenset[tuple[str, int]]  # sentences: (title of the passage, sentence number)
Counts = NDArray[np.int64]
Figures = NDArray[np.float64]
Vectors = Callable[[Sequence[str]], NDArray[np.float32]]  # texts -> (texts, dimensions), each of length 1

# The observation of one row: a number, or a tuple of hashable, sortable values for a metric that is not a mean.
Observation: TypeAlias = "float | str | tuple[Observation, ...]"
# (M distinct observations, how often each occurs in B samples (B, M)) -> the figures of the samples (B,)
Aggregate = Callable[[Sequence[Any], Counts], Figures]  # Any: each metric aggregates its own kind of observation


def number(observation: Observation) -> float:
    """An observation of a metric that has a value for each row."""
    assert isinstance(observation, float | int), "a metric with a value for each row observes numbers"
    return observation


@dataclass(frozen=True)
class Graded:
    """One reply with the answers it is compared with."""

    answers: Sequence[str]
    prediction: str  # the text after the answer marker; "" where the reply has no marker
    raw: str  # the whole reply
    normalize: Comparison
    lenient: str = ""  # the answer found in the reply in any form (`raft_exp.prompts.lenient`)
    facts: Facts = frozenset()  # the sentences that support the answer, by the data set
    quoted: Facts = frozenset()  # the sentences that the reply quotes


Batch = Callable[[Sequence[Graded], Vectors], Sequence[float]]


def mean(values: Sequence[float], counts: Counts) -> Figures:
    """The means of B samples, (B,); `counts` (B, M) counts each of the M `values` in each sample."""
    result: Figures = counts @ np.asarray(values, dtype=np.float64) / counts.sum(axis=1)
    return result


@dataclass(frozen=True)
class Metric:
    """A metric of single rows (`observe`), or of all rows of an arm at once (`batch`, for metrics that need a model).

    `share`: each row scores 0 or 1, so that exact methods apply (Wilson, McNemar).
    `aggregate`: computes the figure from the observations; the mean by default.
    `of_quotes`: the metric grades quoted sentences; arms that are not asked to reason do not have it.
    """

    observe: Callable[[Graded], Observation] | None = None
    share: bool = False
    aggregate: Aggregate = mean
    of_quotes: bool = False
    batch: Batch | None = None

    @property
    def per_row(self) -> bool:
        """Whether a single row has a value of its own, so that the figure is the mean of these."""
        return self.aggregate is mean
