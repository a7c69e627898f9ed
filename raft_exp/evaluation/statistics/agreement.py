"""Agreement of a judge with the labels of people: Cohen's kappa."""

from collections.abc import Sequence

import numpy as np

from raft_exp.evaluation.statistics.intervals import Estimate
from raft_exp.evaluation.statistics.judged import Array, Cells, widened_middle
from raft_exp.evaluation.statistics.resampling import rounded

Pair = tuple[float, float]  # judgement, label
_MORE = 2.0  # number of questions that are added for the interval, as in `judged`


def kappa(questions: Sequence[Sequence[Pair]], random: np.random.Generator) -> Estimate | None:
    """Returns Cohen's kappa of judgements and labels with its 95% interval.

    Returns None without labels, and if all judgements and labels have one value. 1 is perfect agreement, 0 that of
    chance. `questions`: for each labelled question, the pairs of its replies (of several arms). Questions are the
    sampling units of the interval, which comes from the Bayesian bootstrap.

    For numbers between 0 and 1 it is kappa with quadratic weights (Cohen 1968, Psychological Bulletin 70), which is the
    concordance coefficient (Fleiss and Cohen 1973, Educational and Psychological Measurement 33).
    """
    sums = np.array([np.sum([_moments(*pair) for pair in pairs], axis=0) for pairs in questions if pairs])
    value = _kappa(sums.sum(axis=0, keepdims=True))[0] if len(sums) else np.nan
    if not np.isfinite(value):
        return None
    corners = np.array([_moments(*corner) for corner in Cells.corners(2)])
    cells, counts = np.unique(sums, axis=0, return_counts=True)
    weights = Cells(np.concatenate([cells, corners]), counts.astype(np.float64)).drawn(_MORE, random)
    low, high = widened_middle(_kappa(weights @ np.concatenate([cells, corners])), len(sums))
    return Estimate(
        rounded(float(value)),
        rounded(max(-1.0, min(low, float(value)))),
        rounded(min(1.0, max(high, float(value)))),
    )


def _moments(judged: float, label: float) -> tuple[float, ...]:
    """Returns the terms of a pair in the sums from which kappa is computed."""
    return 1.0, judged, label, judged**2, label**2, (judged - label) ** 2


def _kappa(sums: Array) -> Array:
    """Returns kappa of each row of sums, shape (B,): nan where all judgements and labels are equal."""
    n, judged, label, judged_squared, label_squared, difference = sums.T
    by_chance = (judged_squared + label_squared) / n - 2 * judged * label / n**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 - difference / n / by_chance, dtype=np.float64)
