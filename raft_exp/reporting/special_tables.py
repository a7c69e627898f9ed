"""The tables of refusals (tests without gold) and of false passages, for the templates of the pages."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from raft_exp.core.audit import NO_FALSE_PASSAGE
from raft_exp.evaluation.metrics import ABSTENTION, FOLLOWS
from raft_exp.evaluation.results import Abstention, ArmResult, Comparison, Conflict, Figure, Results
from raft_exp.reporting.conditions import STUDY
from raft_exp.reporting.formats import title
from raft_exp.reporting.plots.risk_coverage import risk_coverage
from raft_exp.reporting.tables import Cell, cell, difference

_NOTES = {
    "with_gold": "{n} questions, each with gold in the context ({with_gold}) and without ({name}). A context without "
    "gold is the positive class: there a refusal is right. Recall: the share of these contexts in which the arm "
    "refuses. Precision: the share of right ones among its refusals. Invented answers: the share of the contexts "
    "without gold in which it answers. Selective accuracy: the share of right answers ({right}) among its answers in "
    "both contexts. Coverage: the share of both contexts in which it answers.",
    "area": " Risk coverage area: the area under the curve below. Replies are accepted in the order of the mean log "
    "probability of their tokens, and risk is the share of wrong ones among the accepted. A reply that does not answer "
    "comes last and counts as wrong. A smaller area is better.",
    "no_area": " There is no curve of risk against coverage for {arms}: their replies have no token probabilities. "
    "evaluation.token_probabilities=true stores them, if the engine returns them.",
    "conflict": "{n} questions, each with a false passage in place of one distractor. It is a copy of a gold passage "
    "with the answer of another question in it. Follows false passage: the share of the questions that the arm answers "
    "with the false answer; the lower, the better.",
}


class SpecialTable(TypedDict):
    """The table of one test: a row for each arm."""

    name: str  # the condition, or "as in the study"
    notes: list[str]
    columns: list[str]
    rows: list["SpecialRow"]
    differences: list[dict[str, object]]  # as the entries of `differences` of a report: metric and rows
    svg: str


class SpecialRow(TypedDict):
    """An arm with its figures."""

    name: str
    cells: list[Cell]


def refusals(results: Results) -> list[SpecialTable]:
    """Returns a table for each condition without gold."""
    return [_refusals(name, one, results["conditions"][name]) for name, one in results.get("abstention", {}).items()]


def _refusals(name: str, found: Abstention, arms: Mapping[str, ArmResult]) -> SpecialTable:
    metrics = [metric for metric in ABSTENTION if any(metric in arm["metrics"] for arm in arms.values())]
    with_gold = STUDY if found["with_gold"] == "test" else found["with_gold"]
    note = _NOTES["with_gold"].format(with_gold=with_gold, name=name, n=f"{found['n']:,}", right=title(found["right"]))
    without_curve = [arm for arm in arms if arm not in found["curves"]]
    note += _NOTES["area"] if found["curves"] else ""
    note += _NOTES["no_area"].format(arms=", ".join(without_curve)) if without_curve else ""
    return {
        "name": name,
        "notes": [note],
        "columns": [title(metric) for metric in metrics],
        "rows": [_row(arm, [of_arm["metrics"].get(metric) for metric in metrics]) for arm, of_arm in arms.items()],
        "differences": _differences(found["comparisons"]),
        "svg": risk_coverage(found["curves"]),
    }


def conflicts(results: Results) -> list[SpecialTable]:
    """Returns a table for each test with false passages."""
    return [_conflict(name, one, results) for name, one in results.get("conflict", {}).items()]


def _conflict(name: str, found: Conflict, results: Results) -> SpecialTable:
    of_study = name == "test"
    arms = results["arms"] if of_study else results["conditions"][name]
    shown = {arm: of_arm for arm, of_arm in arms.items() if FOLLOWS in of_arm["metrics"]}
    right = next(
        (metric for of_arm in found["without"].values() for metric in of_arm["metrics"]), results["metrics"][0]
    )
    rows = []
    for arm, of_arm in shown.items():
        figures = [of_arm["metrics"].get(metric) for metric in (FOLLOWS, right)]
        without = found["without"].get(arm)
        rows.append(_row(arm, [*figures, *([without["metrics"].get(right)] if without else [])]))
    columns = [title(FOLLOWS), title(right), *([] if of_study else [f"{title(right)} without a false passage"])]
    return {
        "name": STUDY if of_study else name,
        "notes": [_NOTES["conflict"].format(n=f"{found['n']:,}"), *_left_out(found["left_out"])],
        "columns": columns,
        "rows": rows,
        "differences": _differences(found["comparisons"]),
        "svg": "",
    }


def _left_out(counts: Mapping[str, int]) -> Iterable[str]:
    if counts:
        reasons = (f"{count:,} ({NO_FALSE_PASSAGE.get(name, name)})" for name, count in counts.items())
        yield f"Questions that cannot have a false passage, and are left out: {'; '.join(reasons)}."


def _row(arm: str, figures: Sequence[Figure | None]) -> SpecialRow:
    return {"name": arm, "cells": [cell(figure) for figure in figures]}


def _differences(rows: Sequence[Comparison]) -> list[dict[str, object]]:
    by_metric: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        shown = {**difference(row), "name": row["b"], "primary": False}
        by_metric.setdefault(row["metric"], []).append(shown)
    return [{"metric": title(metric), "rows": shown} for metric, shown in by_metric.items()]
