"""HotpotQA's scores of the supporting facts: the sentences that a reply quotes beside those that the data set names."""

from raft_exp.evaluation.metrics.answers import answered, exact_match, harmonic
from raft_exp.evaluation.metrics.graded import Graded


def supporting_em(row: Graded) -> float:
    """HotpotQA's: the reply quotes the supporting sentences and no others."""
    return float(row.quoted == row.facts)


def supporting_f1(row: Graded) -> float:
    """HotpotQA's, over sentences."""
    return harmonic(*_supported(row))


def joint_em(row: Graded) -> float:
    """HotpotQA's: answer and supporting sentences are both exact."""
    return exact_match(row) * supporting_em(row)


def joint_f1(row: Graded) -> float:
    """HotpotQA's: of the products of both precisions and of both recalls."""
    predicted, (precision, recall) = row.normalize(row.prediction), _supported(row)
    found = [answered(predicted, row.normalize(answer)) for answer in row.answers]
    return max(harmonic(one[0] * precision, one[1] * recall) for one in found)


def _supported(row: Graded) -> tuple[float, float]:
    """Precision and recall of the quoted sentences."""
    common = len(row.quoted & row.facts)
    return (common / len(row.quoted), common / len(row.facts)) if common else (0.0, 0.0)
