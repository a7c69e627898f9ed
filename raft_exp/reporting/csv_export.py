"""results.csv and comparisons.csv: every figure of a report as one row, for spreadsheets and other programs."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = ("arm", "condition", "slice", "group", "metric", "value", "low", "high", "n")
COMPARISONS = ("a", "b", "metric", "difference", "low", "high", "p_value", "p_value_holm", "detectable")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv_files(out: Path, results: Mapping[str, Any]) -> None:
    """Writes both files into `out`."""
    write_csv(out / "results.csv", RESULTS, result_rows(results))
    write_csv(out / "comparisons.csv", COMPARISONS, comparison_rows(results))


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """One CSV file; a missing figure is an empty cell."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    # A spreadsheet runs a text that begins like a formula; numbers are none.
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def result_rows(results: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every figure of a study: arms, baselines, conditions, slices."""
    for name, arm in results["arms"].items():
        yield from metric_rows({"arm": name}, arm)
    for name, arm in results.get("baselines", {}).items():
        yield from metric_rows({"arm": f"{name} (baseline)"}, arm)
    for condition, arms in results.get("conditions", {}).items():
        for name, arm in arms.items():
            yield from metric_rows({"arm": name, "condition": condition}, arm)
    for cut, groups in results.get("slices", {}).items():
        for group, arms in groups.items():
            for name, arm in arms.items():
                yield from metric_rows({"arm": name, "slice": cut, "group": group}, arm)


def metric_rows(place: Mapping[str, Any], arm: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each figure of an arm: metrics over its n questions, behaviour over what each speaks of."""
    for metric, found in [*arm["metrics"].items(), *arm.get("behaviour", {}).items()]:
        yield {"n": arm["n"], **place, "metric": metric, **{key: found[key] for key in _FIGURES if key in found}}


_FIGURES = ("value", "low", "high", "n")


def comparison_rows(results: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The paired comparisons of a study."""
    detectable = results.get("detectable", {})
    for row in results["comparisons"]:
        shown = {name: row[name] for name in COMPARISONS if name in row}
        yield {**shown, "detectable": detectable.get(row["metric"], {}).get(row["b"], "")}
