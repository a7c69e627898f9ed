"""Tells whether two arms differ in the form of their replies rather than in their answers.

A strict metric counts an answer without the requested form as wrong. A lenient metric reads the answer in any form.
"""

from dataclasses import dataclass

from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.results import Comparison, Results

LEVEL = 0.05
_POINTS = 0.05
_LENIENT = "_lenient"
_STRICT = ("accuracy", "exact_match")  # have a lenient form, and are used if the primary metric has none
_ANY_FORM = ("answer_in_reply",)  # reads the whole reply


@dataclass(frozen=True)
class Readings:
    """The primary contrast in the primary metric, in a strict metric, and in the lenient variant of the strict metric.

    The primary metric may itself be the strict metric or the lenient variant.
    """

    primary: Comparison
    strict: Comparison
    lenient: Comparison

    @property
    def effect(self) -> float:
        """The part of the strict difference that is due to the form of the replies.

        It is the strict difference minus the lenient difference.
        """
        return self.strict["difference"] - self.lenient["difference"]

    @property
    def differ(self) -> bool:
        """Whether only the strict or only the lenient difference is significant, or both are, with opposite signs."""
        return sign(self.strict) != sign(self.lenient)

    @property
    def disagree(self) -> bool:
        """Whether the strict and the lenient metric give different verdicts, or differences over five points apart."""
        return self.differ or abs(self.effect) > _POINTS

    @property
    def one_of_form(self) -> bool:
        """Whether the form of the replies explains most of a significant difference in the primary metric.

        The lenient difference is the difference in the lenient metric, which ignores the form of a reply. The property
        is true if `effect` is larger in absolute value than the lenient difference, and the lenient difference is not
        significant or is significant in the opposite direction. It is always false if the primary metric is lenient.
        """
        claimed = sign(self.primary)
        strict_metric = self.primary["metric"] != self.lenient["metric"]
        by_form = abs(self.effect) > abs(self.lenient["difference"])
        return bool(claimed) and strict_metric and claimed != sign(self.lenient) and by_form


def contrast(results: Results, metric: str) -> Comparison | None:
    """Returns the primary contrast in one metric; None if one of its arms has no figure in this metric."""
    primary = results["primary"]
    rows = (row for row in results["comparisons"] if row["metric"] == metric and row["b"] == primary["against"])
    return next(rows, None)


def readings(results: Results) -> Readings | None:
    """Returns the primary contrast measured with the primary metric, a strict metric, and its lenient variant.

    Returns None if the primary metric is answer_in_reply, which accepts replies of any form, or if no strict metric was
    measured together with its lenient variant.
    """
    metric = results["primary"]["metric"]
    if metric in _ANY_FORM:
        return None
    bare = metric.removesuffix(_LENIENT)
    pairs = [(name, f"{name}{_LENIENT}") for name in (bare, *_STRICT) if f"{name}{_LENIENT}" in METRICS]
    primary = contrast(results, metric)
    for strict, lenient in pairs:
        rows = contrast(results, strict), contrast(results, lenient)
        if primary and rows[0] and rows[1]:
            return Readings(primary, rows[0], rows[1])
    return None


def sign(row: Comparison) -> int:
    """Returns 1 if arm a is significantly better, -1 if arm b is significantly better, else 0.

    The p-value is not corrected, because the contrast was fixed before the run.
    """
    return (row["difference"] > 0) - (row["difference"] < 0) if row["p_value"] < LEVEL else 0
