"""results.csv and comparisons.csv: every figure of a report as one row, for spreadsheets and other programs."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from raft_exp.evaluation.results import ArmResult, Results, Summary
from raft_exp.reporting.judge_csv import judge_comparison_rows, judge_rows

RESULTS = ("arm", "condition", "slice", "group", "metric", "value", "low", "high", "n")
COMPARISONS = ("a", "b", "metric", "difference", "low", "high", "p_value", "p_value_holm", "detectable")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = Mapping[str, object]


def write_csv_files(out: Path, results: Results) -> None:
    """Writes results.csv and comparisons.csv into `out`."""
    write_csv(out / "results.csv", RESULTS, result_rows(results))
    write_csv(out / "comparisons.csv", COMPARISONS, comparison_rows(results))


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Writes one CSV file; a missing figure is an empty cell."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: safe_cell(value) for name, value in row.items()} for row in rows)


def safe_cell(value: object) -> object:
    """Returns the value of a cell. A text that begins like a formula gets an apostrophe.

    Without the apostrophe, a spreadsheet would compute the formula. Numbers are safe.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def result_rows(results: Results) -> Iterator[Row]:
    """Yields a row for each figure of a study: arms, baselines, conditions, other corpora, the judge, slices."""
    for name, arm in results["arms"].items():
        yield from arm_rows({"arm": name}, arm)
    for name, baseline in results.get("baselines", {}).items():
        yield from metric_rows({"arm": f"{name} (baseline)"}, baseline)
    for condition, arms in results.get("conditions", {}).items():
        for name, arm in arms.items():
            yield from arm_rows({"arm": name, "condition": condition}, arm)
    for corpus, elsewhere in results.get("transfer", {}).items():
        for name, summary in elsewhere["arms"].items():
            yield from metric_rows({"arm": name, "condition": f"transfer@{corpus}"}, summary)
    yield from judge_rows(results)
    for cut, groups in results.get("slices", {}).items():
        for group, summaries in groups.items():
            for name, summary in summaries.items():
                yield from metric_rows({"arm": name, "slice": cut, "group": group}, summary)


def metric_rows(place: Row, summary: Summary) -> Iterator[Row]:
    """Yields a row for each metric. `place` holds the columns that name the arm, condition or slice."""
    for metric, figure in summary["metrics"].items():
        yield {"n": summary["n"], **place, "metric": metric, **figure}


def arm_rows(place: Row, arm: ArmResult) -> Iterator[Row]:
    """Yields the metrics of an arm, then the rates of its behaviours and citations, each with its number of cases."""
    yield from metric_rows(place, arm)
    figures = dict(arm.get("behaviour", {}))
    if "invented_quotes" in arm:
        figures["invented_quotes"] = arm["invented_quotes"]
    for decider, of_citations in arm.get("citations", {}).items():
        figures |= {
            f"citation_{name}_{decider}": of_citations[name] for name in ("recall", "precision") if name in of_citations
        }
    for name, figure in figures.items():
        yield {"n": arm["n"], **place, "metric": name, **figure}


def comparison_rows(results: Results) -> Iterator[Row]:
    """Yields the paired comparisons of a study, then those by the judge."""
    detectable = results.get("detectable", {})
    for comparison in results["comparisons"]:
        shown = {name: value for name, value in comparison.items() if name in COMPARISONS}
        yield {**shown, "detectable": detectable.get(comparison["metric"], {}).get(comparison["b"], "")}
    for row in judge_comparison_rows(results):
        yield {name: value for name, value in row.items() if name in COMPARISONS}
