"""The citations of replies in a report: invented quotes, and whether the quoted passages support the claims."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from raft_exp.evaluation.citations.figures import citation_figures, invented_quotes
from raft_exp.evaluation.citations.judged import JudgedCitations, judged_figures, quoted_passages
from raft_exp.evaluation.citations.stage import read_citations
from raft_exp.evaluation.judge.rows import read_judgements
from raft_exp.evaluation.results import ArmResult, CitationFigures, CountedFigure, Prediction, Results
from raft_exp.evaluation.scoring.refusals import GradedTest
from raft_exp.reporting.formats import percent
from raft_exp.reporting.tables import Cell, cell
from raft_exp.reporting.verdict import INVENTED

Save = Callable[[str, Sequence[Prediction]], None]  # writes the predictions of an arm
_DECIDED_BY = {"nli": "NLI model", "judge": "judge"}
_FIGURES = (("recall", "claims supported"), ("precision", "citations that support"))


class CitationCell(Cell):
    """A figure of citations, with its number of cases."""

    n: str


class CitationRow(TypedDict):
    """The citations of one arm."""

    name: str
    cells: list[CitationCell]


class CitationTable(TypedDict):
    """The table of citations: a row for each arm. Without rows the study has no figures of citations."""

    columns: list[str]
    rows: list[CitationRow]
    by_judge: bool  # whether a judge decided on support
    cut: str  # a sentence about texts that were too long for the model; "" if there are none


def add_invented_quotes(
    results: Results, arms: Mapping[str, Mapping[str, object]], rows: Mapping[str, Sequence[Prediction]]
) -> None:
    """Adds the share of invented quotes to each arm whose prompt asks for quotes and whose replies have quotes.

    `arms`: arm -> its settings. `rows`: arm -> its predictions.
    """
    for name, settings in arms.items():
        if settings.get("cot") and (figure := invented_quotes(rows[name])):
            results["arms"][name]["invented_quotes"] = figure


def add_citations(
    results: Results, folders: Mapping[str, Path], rows: Mapping[str, Sequence[Prediction]], save: Save
) -> None:
    """Adds recall and precision of citations by the NLI model to the results.

    The function also adds the claims to the predictions, and saves the predictions again with `save`.

    `folders`: arm -> the result folder of its stage `citations`. `rows`: arm -> its predictions.
    """
    for name, folder in folders.items():
        claims = {row["id"]: row["claims"] for row in read_citations(folder)}
        cut = json.loads((folder / "counts.json").read_text(encoding="utf-8"))["cut"]
        for prediction in rows[name]:
            if prediction["id"] in claims:
                prediction["claims"] = claims[prediction["id"]]
        save(name, rows[name])
        figures: CitationFigures = {**citation_figures(claims.values()), "cut": cut}
        results["arms"][name].setdefault("citations", {})["nli"] = figures


def add_judged_citations(
    results: Results,
    folders: Mapping[str, Path],
    arms: Mapping[str, Mapping[str, object]],
    graded: Mapping[str, GradedTest],
) -> None:
    """Adds recall and precision of citations by a judge, for arms that show passages and ask for quotes.

    `folders`: arm -> the result folder of its stage `judge`. `arms`: arm -> its settings. `graded`: arm -> its graded
    test.
    """
    for name, folder in folders.items():
        if not arms[name].get("cot") or arms[name].get("context") == "none":
            continue
        claims = {row["id"]: row["claims"] for row in read_judgements(folder) if "claims" in row}
        rows = zip(graded[name].arm.rows, graded[name].examples, strict=True)
        read = [
            JudgedCitations(claims[row["id"]], quoted_passages(row, example.context))
            for row, example in rows
            if row["id"] in claims
        ]
        if figures := judged_figures(read):
            results["arms"][name].setdefault("citations", {})["judge"] = figures


def table(results: Results) -> CitationTable:
    """Returns the table of citations: invented quotes, then recall and precision by the NLI model and by the judge.

    Arms without recall and precision have no row.
    """
    arms = {name: arm for name, arm in results["arms"].items() if arm.get("citations")}
    deciders = [name for name in _DECIDED_BY if any(name in arm["citations"] for arm in arms.values())]
    rows: list[CitationRow] = [
        {
            "name": name,
            "cells": [counted(arm.get("invented_quotes"), "quotes")]
            + [made for decider in deciders for made in _cells(arm["citations"].get(decider, {}))],
        }
        for name, arm in arms.items()
    ]
    columns = [f"{words} ({_DECIDED_BY[decider]})" for decider in deciders for _, words in _FIGURES]
    return {"columns": [INVENTED, *columns], "rows": rows, "by_judge": "judge" in deciders, "cut": _cut(arms.values())}


def counted(figure: CountedFigure | None, of: str) -> CitationCell:
    """Formats a figure in percent with its interval and the number of cases, for example `of 310 quotes`."""
    return {**cell(figure), "n": f"of {figure['n']:,} {of}" if figure else ""}


def _cells(figures: CitationFigures) -> list[CitationCell]:
    return [counted(figures.get("recall"), "claims"), counted(figures.get("precision"), "citations")]


def _cut(arms: Iterable[ArmResult]) -> str:
    number = sum(arm["citations"].get("nli", {}).get("cut", 0) for arm in arms)
    if not number:
        return ""
    return f"{number:,} texts of cited passages were longer than the NLI model reads, so their ends were cut off."


def line(results: Results) -> str:
    """Returns a sentence for the terminal with the citations of each arm; "" without figures of citations."""
    sentences = []
    for decider, words in _DECIDED_BY.items():
        found = {name: arm.get("citations", {}).get(decider, {}) for name, arm in results["arms"].items()}
        each = [f"{name} {_both(figures)}" for name, figures in found.items() if "recall" in figures]
        if each:
            sentences.append(
                f"Citations, by the {words} (claims supported / citations that support): {', '.join(each)}."
            )
    return " ".join(sentences)


def _both(figures: CitationFigures) -> str:
    shares = (figures.get("recall"), figures.get("precision"))
    return " / ".join(f"{percent(figure['value'])}%" if figure else "none" for figure in shares)
