"""The comparison of finished runs: comparison.html, comparison.md, comparison.json and the CSV files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from raft_exp.evaluation.results import Baseline, Figure
from raft_exp.evaluation.statistics import PERMUTATIONS, RESAMPLES
from raft_exp.reporting import csv_export, sweeps
from raft_exp.reporting.compare import ALL_PAIRS, compared
from raft_exp.reporting.comparison_results import ComparisonResults, SettingComparison, SettingResult
from raft_exp.reporting.facts import facts, text
from raft_exp.reporting.render import write
from raft_exp.reporting.runs import Run
from raft_exp.reporting.settings import RunGroup, settings
from raft_exp.reporting.tables import NONE, cell, difference, without_model
from raft_exp.reporting.verdict import percent, title

COMPARISONS = (
    "a",
    "arm_a",
    "b",
    "arm_b",
    "metric",
    "difference",
    "low",
    "high",
    "p_value",
    "p_value_holm",
    "n",
)


def write_comparison(out: Path, runs: Sequence[Run], left_out: Sequence[str]) -> ComparisonResults:
    """Writes the pages, comparison.json and the CSV files into `out`; returns the results.

    `left_out` are lines about runs that have no part in the comparison.
    """
    from markupsafe import Markup

    groups, equal = settings(runs)
    results = compared(groups)
    of_all_runs = baselines(runs)
    view = {
        "study": f"{len(runs)} runs compared" if len(runs) > 1 else "One run",
        "results": results,
        "lines": [*left_out, *results["apart"]],
        "corpus": text(equal.get("corpus.name", "several")),
        "model": text(equal.get("model.name_or_path", "several")),
        "metric": title(results["metrics"][0]),
        **_tables(groups, results),
        "without_model": without_model(of_all_runs, results["metrics"][0]),
        "plots": [{**plot, "svg": Markup(plot["svg"])} for plot in sweeps.plots(groups, results, of_all_runs)],
        "equal": facts(equal),
        "method": {"resamples": f"{RESAMPLES:,}", "permutations": f"{PERMUTATIONS:,}"},
        "with_first_alone": len(groups) > ALL_PAIRS,
    }
    out.mkdir(parents=True, exist_ok=True)
    write(out / "comparison.html", "comparison.html.j2", view)
    write(out / "comparison.md", "comparison.md.j2", view)
    (out / "comparison.json").write_text(json.dumps({**results, "equal": equal}, indent=2) + "\n", encoding="utf-8")
    csv_export.write_csv(out / "results.csv", columns(groups), rows(results))
    csv_export.write_csv(out / "comparisons.csv", COMPARISONS, comparison_rows(results))
    return results


def baselines(runs: Sequence[Run]) -> Mapping[str, Baseline]:
    """The baselines, where they are equal in all runs; {} elsewhere, as for seeds with different test questions."""
    first = runs[0].results.get("baselines", {})
    return first if all(run.results.get("baselines", {}) == first for run in runs) else {}


def _tables(groups: Sequence[RunGroup], results: ComparisonResults) -> dict[str, object]:
    metric = results["metrics"][0]
    arms = list(dict.fromkeys(arm for entry in results["settings"] for arm in entry["arms"]))
    seeds = list(dict.fromkeys(seed for group in groups for seed in group.runs))
    return {
        "fields": list(groups[0].values),
        "arms": arms,
        "seeds": seeds,
        "tables": [
            {"metric": title(name), "rows": [_setting(entry, arms, name) for entry in results["settings"]]}
            for name in results["metrics"]
        ],
        "by_seed": _by_seed(results, metric, seeds) if any(len(group.runs) > 1 for group in groups) else [],
        "differences": [
            {
                **difference(row),
                "n": f"{row['n']:,}",
                "a": _side(row, "a", len(groups)),
                "b": _side(row, "b", len(groups)),
            }
            for row in results["comparisons"]
            if row["metric"] == metric
        ],
        "runs": [(group.name, seed, str(run.folder)) for group in groups for seed, run in group.runs.items()],
    }


def _setting(entry: SettingResult, arms: Sequence[str], metric: str) -> dict[str, object]:
    numbers = {f"{arm['n']:,}" for arm in entry["arms"].values()}
    return {
        "name": entry["name"],
        "values": [text(value) for value in entry["values"].values()],
        "seeds": ", ".join(entry["runs"]),
        "n": " / ".join(sorted(numbers)),
        "cells": [cell(_figure(entry, arm, metric)) for arm in arms],
    }


def _figure(entry: SettingResult, arm: str, metric: str) -> Figure | None:
    return entry["arms"][arm]["metrics"].get(metric) if arm in entry["arms"] else None


def _by_seed(results: ComparisonResults, metric: str, seeds: Sequence[str]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for entry in results["settings"]:
        for arm, metrics in entry["seeds"].items():
            if figure := metrics.get(metric):
                values = [figure["values"].get(seed) for seed in seeds]
                spread = figure["deviation"]
                rows.append(
                    {
                        "name": entry["name"],
                        "arm": arm,
                        "mean": percent(figure["mean"]),
                        "deviation": NONE if spread is None else percent(spread),
                        "values": [NONE if value is None else percent(value) for value in values],
                    }
                )
    return rows


def _side(row: SettingComparison, side: Literal["a", "b"], settings_compared: int) -> str:
    arm = row["arm_a"] if side == "a" else row["arm_b"]
    return f"{arm}, {row[side]}" if settings_compared > 1 else arm


def columns(groups: Sequence[RunGroup]) -> tuple[str, ...]:
    """The columns of `rows`: the settings that differ are between a setting's name and its figures."""
    return ("setting", *groups[0].values, "condition", "arm", "metric", "seed", "value", "low", "high", "n")


def rows(results: ComparisonResults) -> Iterator[csv_export.Row]:
    """The pooled figures, those under conditions, and the figures of each seed."""
    for entry in results["settings"]:
        place = {"setting": entry["name"], **{name: _plain(value) for name, value in entry["values"].items()}}
        for arm, figures in entry["arms"].items():
            yield from csv_export.metric_rows({**place, "arm": arm, "seed": "pooled"}, figures)
        for condition, arms in entry["conditions"].items():
            for arm, figures in arms.items():
                yield from csv_export.metric_rows(
                    {**place, "arm": arm, "seed": "pooled", "condition": condition}, figures
                )
        for arm, metrics in entry["seeds"].items():
            for metric, figure in metrics.items():
                for seed, value in figure["values"].items():
                    yield {**place, "arm": arm, "metric": metric, "seed": seed, "value": value}


def comparison_rows(results: ComparisonResults) -> Iterator[csv_export.Row]:
    """The paired comparisons, with the columns COMPARISONS."""
    return ({key: value for key, value in row.items() if key in COMPARISONS} for row in results["comparisons"])


def _plain(value: object) -> str | int | float:
    return value if isinstance(value, str | int | float) else text(value)
