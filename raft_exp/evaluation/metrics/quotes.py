"""HotpotQA's supporting-fact and joint scores, from the sentences that a reply quotes.

Source: hotpot_evaluate_v1.py, https://github.com/hotpotqa/hotpot.
"""

from raft_exp.evaluation.metrics.answers import answered, exact_match, harmonic
from raft_exp.evaluation.metrics.graded import Graded


def supporting_em(row: Graded) -> float:
    """1 if the quoted sentences are exactly the supporting facts of the data set, else 0."""
    return float(row.quoted == row.facts)


def supporting_f1(row: Graded) -> float:
    """F1 of the quoted sentences against the supporting facts of the data set."""
    return harmonic(*_supported(row))


def joint_em(row: Graded) -> float:
    """1 if `exact_match` and `supporting_em` are both 1, else 0."""
    return exact_match(row) * supporting_em(row)


def joint_f1(row: Graded) -> float:
    """F1 of a joint precision and a joint recall; the maximum over the answers.

    The joint precision is the precision of the answer's tokens times the precision of the quoted sentences. The joint
    recall is the product of the two recalls.
    """
    predicted, (precision, recall) = row.normalize(row.prediction), _supported(row)
    overlaps = (answered(predicted, row.normalize(answer), row.normalize.never_partly_right) for answer in row.answers)
    return max(harmonic(of_answer[0] * precision, of_answer[1] * recall) for of_answer in overlaps)


def _supported(row: Graded) -> tuple[float, float]:
    """Returns precision and recall of the quoted sentences against the supporting facts."""
    common = len(row.quoted & row.facts)
    return (common / len(row.quoted), common / len(row.facts)) if common else (0.0, 0.0)
