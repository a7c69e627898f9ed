"""Tables in a comparison of runs: refusals (in conditions without gold) and false passages."""

from collections.abc import Iterator, Sequence
from typing import TypedDict

from raft_exp.evaluation.metrics import ABSTENTION, FOLLOWS
from raft_exp.evaluation.results import Figure
from raft_exp.reporting.comparison_results import ComparisonResults, SettingComparison

SPECIAL = (*ABSTENTION, FOLLOWS)  # metrics of conditions without gold, or with false passages


class SpecialFigures(TypedDict):
    """The figures of one arm in one setting, in the order of the metrics of the table."""

    setting: str
    arm: str
    figures: list[Figure | None]


class SpecialComparison(TypedDict):
    """The figures and differences of the metrics SPECIAL under one condition."""

    condition: str
    metrics: list[str]
    rows: list[SpecialFigures]
    differences: list[tuple[str, list[SettingComparison]]]  # metric -> its comparisons


def special(results: ComparisonResults) -> list[SpecialComparison]:
    """Returns the table of each condition that has figures in metrics of SPECIAL."""
    names = dict.fromkeys(name for entry in results["settings"] for name in entry["conditions"])
    return [found for name in names if (found := _under(name, results))["metrics"]]


def _under(condition: str, results: ComparisonResults) -> SpecialComparison:
    arms = [
        (entry["name"], arm, summary["metrics"])
        for entry in results["settings"]
        for arm, summary in entry["conditions"].get(condition, {}).items()
    ]
    metrics = [metric for metric in SPECIAL if any(metric in figures for *_, figures in arms)]
    return {
        "condition": condition,
        "metrics": metrics,
        "rows": [
            {"setting": setting, "arm": arm, "figures": [figures.get(metric) for metric in metrics]}
            for setting, arm, figures in arms
        ],
        "differences": list(_by_metric(results["special_comparisons"].get(condition, []), metrics)),
    }


def _by_metric(
    rows: Sequence[SettingComparison], metrics: Sequence[str]
) -> Iterator[tuple[str, list[SettingComparison]]]:
    for metric in metrics:
        if of_metric := [row for row in rows if row["metric"] == metric]:
            yield metric, of_metric
