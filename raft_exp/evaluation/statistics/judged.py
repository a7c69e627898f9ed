"""Shares that an imperfect judge measures on all replies, corrected by labels of people on a random sample of them.

The estimate is the regression estimator of double sampling (Cochran 1977, Sampling Techniques, chapter 12): the mean
label of the sample, plus the slope of label on judgement times the difference of two means of the judge, over all
replies and over the sample. It is prediction-powered inference with the power-tuned factor (Angelopoulos et al. 2023,
Science 382, and Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453). For judgements of 0 and 1 it is the maximum
likelihood estimate of Tenenbein (1970, JASA 65). It needs no assumption about the judge. Each arm has its own slope, so
a judge may favour an arm.

The usual intervals fail for few labels: 20 labels without a disagreement have no variance. So the interval is the
middle of draws of a Bayesian bootstrap (Rubin 1981, Annals of Statistics 9) with two more labels (for two arms, one
more question), which are spread evenly over the pairs of an extreme judgement and an extreme label. For judgements of
0 and 1 these are Jeffreys' priors of the judge's rates of error (on such intervals: Brown, Cai and DasGupta 2001,
Statistical Science 16).

A correction by sensitivity and specificity (Rogan and Gladen 1978; intervals of Lang and Reiczigel 2014) divides by
their sum minus 1, so it has no bound for a judge that is no better than chance.

The same functions treat shares of claims, where judgements and labels are any numbers in 0..1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from raft_exp.evaluation.statistics.intervals import Estimate
from raft_exp.evaluation.statistics.resampling import RESAMPLES, middle, rounded

FEWEST_LABELS = 20  # labels of an arm from which the intervals reach their nominal coverage in the simulations
_MORE = 2.0  # labels that are added for the interval; half as many judgements are added to all questions
_NEXT_TO_NOTHING = 1e-6  # labels added for the value; they matter only if all labelled replies have one judgement

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """The judgements and labels of one arm's replies, each 0..1, in the order of the questions; None: missing.

    The mean of the arm's other judgements stands in for a missing one. So the reply stays among those that the estimate
    is about, whatever the reason for the missing judgement.
    """

    judgements: Sequence[float | None]
    labels: Sequence[float | None]

    @property
    def labelled(self) -> list[int]:
        """The places of the replies with a label."""
        return [place for place, label in enumerate(self.labels) if label is not None]

    @property
    def predicted(self) -> Array:
        """The judgements, shape (N,), with the mean in place of missing ones (0.5 if all are missing)."""
        known = [value for value in self.judgements if value is not None]
        mean = sum(known) / len(known) if known else 0.5
        return np.array([mean if value is None else value for value in self.judgements], dtype=np.float64)

    def only(self, places: Sequence[int]) -> "Judged":
        """Returns the same replies with the labels at `places` alone."""
        kept = set(places)
        return Judged(self.judgements, [label if place in kept else None for place, label in enumerate(self.labels)])


@dataclass(frozen=True)
class CorrectedDifference:
    """The difference of two corrected figures (arm a minus arm b) with its 95% interval."""

    difference: float
    low: float
    high: float


def corrected(arm: Judged, random: np.random.Generator) -> Estimate:
    """Returns the corrected mean of an arm's judgements with its 95% interval.

    Raises ValueError for fewer than `FEWEST_LABELS` labels.
    """
    (value,), draws = _corrected([arm], random)
    low, high = (_within(end, 0.0) for end in widened_middle(draws[0], len(arm.labelled)))
    return Estimate(rounded(value), rounded(min(value, low)), rounded(max(value, high)))


def corrected_difference(a: Judged, b: Judged, random: np.random.Generator) -> CorrectedDifference:
    """Returns the difference of the corrected means of two arms. `a` and `b` have the same questions in one order.

    Only questions with a label in both arms count as labelled. Raises ValueError for fewer than `FEWEST_LABELS` such
    questions.
    """
    both = sorted({*a.labelled} & {*b.labelled})
    values, draws = _corrected([a.only(both), b.only(both)], random)
    value = values[0] - values[1]
    low, high = (_within(end, -1.0) for end in widened_middle(draws[0] - draws[1], len(both)))
    return CorrectedDifference(rounded(value), rounded(min(value, low)), rounded(max(value, high)))


def _corrected(arms: Sequence[Judged], random: np.random.Generator) -> tuple[list[float], Array]:
    """Returns the corrected mean of each arm, and draws of it, shape (arms, RESAMPLES).

    The arms have the same questions and the same labelled places.
    """
    places = arms[0].labelled
    if len(places) < FEWEST_LABELS:
        raise ValueError(f"got {len(places)} labels; {FEWEST_LABELS} are needed")
    judged = np.stack([arm.predicted for arm in arms], axis=1)
    labels = np.array([[arm.labels[place] for place in places] for arm in arms], dtype=np.float64).T
    every, sample = Cells.of(judged), Cells.of(np.concatenate([judged[places], labels], axis=1))
    more = _MORE / len(arms)  # a question has a label for each arm
    means = every.means(every.drawn(more / 2, random))
    weights = sample.drawn(more, random)
    values = [
        float(_moved(sample.rows, sample.weights(_NEXT_TO_NOTHING), number, every.means(every.weights(0.0)))[0])
        for number in range(len(arms))
    ]
    return values, np.stack([_moved(sample.rows, weights, number, means) for number in range(len(arms))])


def _moved(rows: Array, weights: Array, number: int, means: Array) -> Array:
    """Returns the regression estimate of arm `number` for each of B weightings of the labelled questions, shape (B,).

    `rows`: shape (M, 2 * arms), the judgements of all arms, then their labels. `weights`: shape (B, M), rows sum to 1.
    `means`: shape (B, arms), the mean judgements over all replies.
    """
    judged, label = rows[:, number], rows[:, rows.shape[1] // 2 + number]
    mean, mean_label = weights @ judged, weights @ label
    covariance = weights @ (judged * label) - mean * mean_label
    slope = np.clip(covariance / (weights @ judged**2 - mean**2), -1, 1)  # with any slope the estimate is consistent
    return np.asarray(np.clip(mean_label + slope * (means[:, number] - mean), 0, 1), dtype=np.float64)


@dataclass(frozen=True)
class Cells:
    """Distinct observations with their counts, and the corners of the unit cube, where added observations lie."""

    rows: Array  # shape (M, columns): the distinct rows, then the corners
    counts: Array  # shape (M - corners,)

    @classmethod
    def of(cls, observations: Array) -> "Cells":
        """Counts the distinct rows of `observations`, shape (n, columns)."""
        cells, counts = np.unique(observations, axis=0, return_counts=True)
        return cls(np.concatenate([cells, cls.corners(observations.shape[1])]), counts.astype(np.float64))

    @staticmethod
    def corners(columns: int) -> Array:
        """Returns the corners of the unit cube, shape (2**columns, columns)."""
        return np.array(list(product((0.0, 1.0), repeat=columns)), dtype=np.float64)

    def with_more(self, more: float) -> Array:
        """Returns the counts, shape (M,). The corners share `more` added observations."""
        corners = len(self.rows) - len(self.counts)
        return np.concatenate([self.counts, np.full(corners, more / corners)])

    def weights(self, more: float) -> Array:
        """Returns the counts of `with_more` divided by their sum, shape (1, M)."""
        counts = self.with_more(more)
        return np.asarray(counts[None, :] / counts.sum(), dtype=np.float64)

    def drawn(self, more: float, random: np.random.Generator) -> Array:
        """Returns weights of the Bayesian bootstrap from the counts of `with_more`, shape (RESAMPLES, M)."""
        return random.dirichlet(self.with_more(more), size=RESAMPLES)

    def means(self, weights: Array) -> Array:
        """Returns the weighted means of the columns, shape (B, columns)."""
        return np.asarray(weights @ self.rows, dtype=np.float64)


def widened_middle(draws: Array, labels: int) -> tuple[float, float]:
    """Returns the middle 95% of draws, made wider where there are few labelled questions.

    The factor turns the variance of the Bayesian bootstrap, a sum of squares over n (n + 1), into that over n (n - 1).
    """
    mean, wider = float(draws.mean()), ((labels + 1) / max(1, labels - 1)) ** 0.5
    low, high = middle(draws)
    return mean + (low - mean) * wider, mean + (high - mean) * wider


def _within(value: float, lowest: float) -> float:
    return min(1.0, max(lowest, value))
