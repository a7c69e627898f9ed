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
    """The primary contrast in three metrics: the primary metric, a strict metric, and the lenient form of the strict
    one.
    """

    primary: Comparison
    strict: Comparison
    lenient: Comparison

    @property
    def effect(self) -> float:
        """The part of the strict difference that is due to the form of the replies: strict minus lenient."""
        return self.strict["difference"] - self.lenient["difference"]

    @property
    def differ(self) -> bool:
        """Whether the strict and the lenient difference differ in sign, or only one of them is significant."""
        return sign(self.strict) != sign(self.lenient)

    @property
    def disagree(self) -> bool:
        """Whether strict and lenient metric lead to different verdicts, or differ by more than five points."""
        return self.differ or abs(self.effect) > _POINTS

    @property
    def one_of_form(self) -> bool:
        """Whether the form of the replies explains most of a significant difference in a strict metric.

        This holds if the lenient difference is not significant in the same direction, and if `effect` is larger than
        the lenient difference (absolute values).
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
    """Returns the primary contrast in a strict metric and in its lenient form.

    Returns None if the primary metric accepts any form of reply, or if no such pair of metrics was measured.
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
    """Returns the sign of a significant difference: 1 in favour of arm a, -1 of arm b; 0 if it is not significant.

    The p-value is not corrected, because the contrast was fixed before the run.
    """
    return (row["difference"] > 0) - (row["difference"] < 0) if row["p_value"] < LEVEL else 0
