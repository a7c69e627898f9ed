"""Tables 1 and 2 with our figures beside the paper's figures, and a list of what the runs lack."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

from raft_exp.evaluation.results import Figure
from raft_exp.models.loading import has_random_weights
from raft_exp.reporting import pairing
from raft_exp.reporting.comparison_results import SettingComparison
from raft_exp.reporting.formats import model_name, p_text, points, title
from raft_exp.reporting.paper.parts import PaperPart, corpus_counts, training_rows
from raft_exp.reporting.published import paper
from raft_exp.reporting.tables import NONE, Cell, cell

RAFT, WITHOUT_COT = "raft", "raft_no_cot"


class Pair(TypedDict):
    """A figure of the paper and our figure."""

    published: str
    ours: Cell


class Column(TypedDict):
    """A data set of table 1, with our metric and our numbers of questions and training rows."""

    name: str
    metric: str
    questions: str
    rows: str


class TableRow(TypedDict):
    """A row of table 1: an arm under the paper's name."""

    name: str
    arm: str
    cells: list[Pair]


class CotRow(TypedDict):
    """A row of table 2: a data set, without and with chain of thought."""

    name: str
    without: Pair
    with_cot: Pair
    published: str  # the paper's difference, in points
    difference: str  # our difference, in points
    interval: str
    p_value: str


def columns(parts: Sequence[PaperPart]) -> list[Column]:
    """Returns the columns of table 1."""
    return [_column(part) for part in parts]


def _column(part: PaperPart) -> Column:
    if not part.groups:
        return {"name": part.name, "metric": NONE, "questions": NONE, "rows": NONE}
    run = part.runs[0]
    first = next(iter(run.results["arms"].values()))
    official, rows = part.published.get("questions"), training_rows(run)
    asked = f"{first['n']:,}" + (f" of {official:,}" if official and official != first["n"] else "")
    return {
        "name": part.name,
        "metric": title(part.metric),
        "questions": asked,
        "rows": NONE if rows is None else f"{rows:,}",
    }


def table1(parts: Sequence[PaperPart]) -> list[TableRow]:
    """Returns the rows of table 1. An arm that no run has is shown with the paper's figures alone."""
    return [
        {"name": name, "arm": arm, "cells": [_pair(part, arm) for part in parts]}
        for arm, name in paper()["arms"].items()
    ]


def _pair(part: PaperPart, arm: str) -> Pair:
    return {"published": _published(part, arm), "ours": cell(_ours(part, arm))}


def _published(part: PaperPart, arm: str) -> str:
    figure = part.published["figures"].get(arm)
    return NONE if figure is None else f"{figure:.2f}"


def _ours(part: PaperPart, arm: str) -> Figure | None:
    return part.figure(part.groups[0], arm) if part.groups else None


def table2(parts: Sequence[PaperPart]) -> list[CotRow]:
    """Returns the rows of table 2. The difference is RAFT minus RAFT without reasoning, on the same questions."""
    return [_cot(part) for part in parts]


def _cot(part: PaperPart) -> CotRow:
    figures, ours = part.published["figures"], _difference(part)
    known = RAFT in figures and WITHOUT_COT in figures
    return {
        "name": part.name,
        "without": _pair(part, WITHOUT_COT),
        "with_cot": _pair(part, RAFT),
        "published": points((figures[RAFT] - figures[WITHOUT_COT]) / 100) if known else NONE,
        "difference": points(ours["difference"]) if ours else NONE,
        "interval": f"{points(ours['low'])} to {points(ours['high'])}" if ours else "",
        "p_value": p_text(ours["p_value"]) if ours else NONE,
    }


def _difference(part: PaperPart) -> SettingComparison | None:
    """Returns RAFT minus RAFT without reasoning; None if the runs lack an arm, or RAFT is not the reference arm."""
    if not part.groups or not {RAFT, WITHOUT_COT} <= {*part.groups[0].arms}:
        return None
    rows, _, _ = pairing.comparisons(part.groups[:1], [part.metric], None)
    return next((row for row in rows if (row["arm_a"], row["arm_b"]) == (RAFT, WITHOUT_COT)), None)


def missing(parts: Iterable[PaperPart]) -> Iterator[str]:
    """Yields a line for each way in which the runs fall short of the paper.

    Examples: a model with random weights, failed studies, missing files, fewer questions.
    """
    said: set[str] = set()
    parts = [*parts]
    models = {run.results["model"] for part in parts for run in part.runs}
    for model in sorted(filter(has_random_weights, models)):
        yield f"the model {model_name(model)} has random weights: its figures say nothing about the arms"
    for part in parts:
        lines = [f"{part.study}: {part.failure}"] if part.failure else []
        if part.runs:
            lines += _of_data(part)
        for line in lines:
            text = f"{part.name}: {line}"
            if text not in said:
                said.add(text)
                yield text


def _of_data(part: PaperPart) -> Iterator[str]:
    run = part.runs[0]
    for name, count in corpus_counts(run).items():
        if count and name.endswith("_missing"):
            yield f"the data are incomplete: {name.replace('_', ' ')}" + (f" ({count:,})" if count > 1 else "")
        if count and name == "seeded_split":
            yield "the data have no official split; a random one is used"
    official, asked = part.published.get("questions"), next(iter(run.results["arms"].values()))["n"]
    if official and asked < official:
        yield f"only {asked:,} of the {official:,} official test questions are in the test"
    if part.study == "table1" and len(part.groups) > 1:
        yield "the runs of table 1 differ in more than their seed; the first setting is shown"
