"""HotpotQA's supporting-fact scores: the sentences that a reply quotes against those that the data set names.

Source: hotpot_evaluate_v1.py, https://github.com/hotpotqa/hotpot.
"""

from raft_exp.evaluation.metrics.answers import answered, exact_match, harmonic
from raft_exp.evaluation.metrics.graded import Graded


def supporting_em(row: Graded) -> float:
    """The reply quotes exactly the supporting sentences."""
    return float(row.quoted == row.facts)


def supporting_f1(row: Graded) -> float:
    """F1 of the quoted sentences."""
    return harmonic(*_supported(row))


def joint_em(row: Graded) -> float:
    """Answer and supporting sentences are both exact."""
    return exact_match(row) * supporting_em(row)


def joint_f1(row: Graded) -> float:
    """F1 of the products of both precisions and of both recalls."""
    predicted, (precision, recall) = row.normalize(row.prediction), _supported(row)
    overlaps = (answered(predicted, row.normalize(answer)) for answer in row.answers)
    return max(harmonic(of_answer[0] * precision, of_answer[1] * recall) for of_answer in overlaps)


def _supported(row: Graded) -> tuple[float, float]:
    """Precision and recall of the quoted sentences."""
    common = len(row.quoted & row.facts)
    return (common / len(row.quoted), common / len(row.facts)) if common else (0.0, 0.0)
