"""Metrics of refusals. Each question has two contexts: with gold (refusals are wrong), without gold (they are right).

The observation of a question is a `Pair`: the outcome with gold and the outcome without gold. An empty or missing reply
is neither a refusal nor an answer. The positive class is a context without gold, and a refusal is a positive
prediction.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from raft_exp.evaluation.metrics.graded import Counts, Figures, Metric, Observation

WHERE = "in a study with a condition without_gold"


class Outcome(NamedTuple):
    """Whether a reply refuses, answers, and answers right, each as 0 or 1; and the reply's mean log probability."""

    refuses: float
    answers: float
    right: float  # the answer is right by the study's first metric with values of 0 and 1
    log_probability: float | None = None  # mean over the tokens of the reply; None: not known


class Pair(NamedTuple):
    """The two outcomes of a question: with gold in the context, and without gold."""

    with_gold: Outcome
    without_gold: Outcome


Weights = NDArray[np.float64]


def refusal_precision(pair: Pair) -> tuple[float, float]:
    """The share of right refusals (no gold in the context) among all refusals. Undefined for an arm that never refuses.

    `pair` -> (right refusals, refusals). For several pairs, the first values and the second values are summed first.
    """
    return pair.without_gold.refuses, pair.without_gold.refuses + pair.with_gold.refuses


def refusal_recall(pair: Pair) -> float:
    """1 if the arm refuses where the context has no gold."""
    return pair.without_gold.refuses


def refusal_f1(pair: Pair) -> tuple[float, float]:
    """The harmonic mean of the precision and the recall of refusals. A context without gold is the positive class.

    `pair` -> (numerator, denominator). For several pairs, the numerators and the denominators are summed first.
    """
    right, wrong = pair.without_gold.refuses, pair.with_gold.refuses
    return 2 * right, right + wrong + 1.0


def invented_answers(pair: Pair) -> float:
    """1 if the arm answers although the context has no gold. Lower is better."""
    return pair.without_gold.answers


def selective_accuracy(pair: Pair) -> tuple[float, float]:
    """The share of right answers among all answers, with and without gold in the context.

    `pair` -> (right answers, answers). For several pairs, the first values and the second values are summed first.
    """
    return sum(outcome.right for outcome in pair), sum(outcome.answers for outcome in pair)


def coverage(pair: Pair) -> float:
    """The share of a question's two contexts (with gold, without gold) in which the arm answers."""
    return (pair.with_gold.answers + pair.without_gold.answers) / 2


def _ratio(parts: Sequence[tuple[float, float]], counts: Counts) -> Figures:
    """Returns sums of numerators over sums of denominators, shape (B,); 0 for samples with denominator 0.

    `counts`: shape (B, M), how often each of the M distinct pairs is in each sample.
    """
    values = np.asarray(parts, dtype=np.float64)
    above, below = counts @ values[:, 0], counts @ values[:, 1]
    result: Figures = np.divide(above, below, out=np.zeros(len(counts)), where=below > 0)
    return result


def ranked(pair: Pair) -> tuple[tuple[float, float], ...]:
    """Area under the curve of risk (share of wrong answers) against coverage. Lower is better.

    Both replies to a question are ranked by the mean log probability of their tokens. Replies that do not answer come
    last and count as wrong.

    `pair` -> (log probability, error) of each of its two replies; the error is 1 for a wrong reply, else 0.
    """
    return tuple(
        (outcome.log_probability, 1.0 - outcome.right)
        if outcome.answers and outcome.log_probability is not None
        else (-np.inf, 1.0)
        for outcome in pair
    )


def risk_coverage_area(pairs: Sequence[tuple[tuple[float, float], ...]], counts: Counts) -> Figures:
    """Computes the area under the curve of `risk_coverage` for B samples, shape (B,); 0 is best.

    `pairs`: M distinct observations of `ranked`. `counts`: shape (B, M), how often each pair is in each sample.
    """
    accepted, risk = risk_coverage(pairs, counts)
    before = np.concatenate([np.zeros((len(counts), 1)), accepted[:, :-1]], axis=1)
    risk_before = np.concatenate([risk[:, :1], risk[:, :-1]], axis=1)
    risk_before = np.where(before > 0, risk_before, risk)
    result: Figures = ((accepted - before) * (risk + risk_before) / 2).sum(axis=1)
    return result


def risk_coverage(pairs: Sequence[tuple[tuple[float, float], ...]], counts: Counts) -> tuple[Weights, Weights]:
    """Returns coverage and risk of B samples at each distinct log probability, both of shape (B, levels).

    Replies are accepted in descending order of their log probability. Coverage is the share of accepted replies among
    all replies. Risk is the share of errors among the accepted replies; 0 if no reply is accepted.

    `pairs`: M distinct observations of `ranked`. `counts`: shape (B, M), how often each pair is in each sample.
    """
    keys = np.array([key for pair in pairs for key, _ in pair])
    errors = np.array([error for pair in pairs for _, error in pair])
    owners = np.repeat(np.arange(len(pairs)), [len(pair) for pair in pairs])
    order = np.argsort(-keys, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], keys[order][1:] != keys[order][:-1]]))
    weights = counts[:, owners[order]]
    accepted = np.add.reduceat(weights, starts, axis=1).cumsum(axis=1)
    wrong = np.add.reduceat(weights * errors[order], starts, axis=1).cumsum(axis=1)
    risk = np.divide(wrong, accepted, out=np.zeros(wrong.shape), where=accepted > 0)
    return accepted / accepted[:, -1:], risk


ABSTENTION: Mapping[str, Metric] = {
    "refusal_precision": Metric(of_pair=refusal_precision, aggregate=_ratio, automatic=WHERE),
    "refusal_recall": Metric(of_pair=refusal_recall, share=True, automatic=WHERE),
    "refusal_f1": Metric(of_pair=refusal_f1, aggregate=_ratio, automatic=WHERE),
    "invented_answers": Metric(of_pair=invented_answers, share=True, automatic=WHERE),
    "selective_accuracy": Metric(of_pair=selective_accuracy, aggregate=_ratio, automatic=WHERE),
    "coverage": Metric(of_pair=coverage, automatic=WHERE),
    "risk_coverage_area": Metric(of_pair=ranked, aggregate=risk_coverage_area, automatic=WHERE),
}


def observations(pairs: Sequence[Pair]) -> dict[str, list[Observation]]:
    """Returns {metric: one observation for each pair of an arm, in order}. Metrics that are undefined are left out.

    The precision of refusals is undefined if there is no refusal. The selective accuracy is undefined if there is no
    answer. The area under the curve is undefined if there is no answer, or if an answer has no log probability.
    """
    found: dict[str, list[Observation]] = {}
    for name, metric in ABSTENTION.items():
        assert metric.of_pair is not None, "these metrics observe pairs"
        values = [metric.of_pair(pair) for pair in pairs]
        if pairs and _is_defined(name, pairs):
            found[name] = values
    return found


def _is_defined(name: str, pairs: Sequence[Pair]) -> bool:
    if name == "refusal_precision":
        return any(outcome.refuses for pair in pairs for outcome in pair)
    answers = [outcome for pair in pairs for outcome in pair if outcome.answers]
    if name == "selective_accuracy":
        return bool(answers)
    return name != "risk_coverage_area" or (
        bool(answers) and all(outcome.log_probability is not None for outcome in answers)
    )


def curve(pairs: Sequence[Pair], most: int = 100) -> list[tuple[float, float]]:
    """Returns at most `most` points (coverage, risk) of an arm, in ascending order of coverage."""
    accepted, risk = risk_coverage([ranked(pair) for pair in pairs], np.ones((1, len(pairs)), dtype=np.int64))
    points = [(round(float(x), 6), round(float(y), 6)) for x, y in zip(accepted[0], risk[0], strict=True)]
    step = -(-len(points) // most)
    return [*points[step - 1 : -1 : step], points[-1]]
