"""comparison.html, comparison.md, comparison.json and the CSV files: finished runs beside each other."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from raft_exp.evaluation.statistics import PERMUTATIONS, RESAMPLES
from raft_exp.reporting import csv_export, sweeps
from raft_exp.reporting.compare import ALL_PAIRS, compared
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


def write_comparison(out: Path, runs: Sequence[Run], left_out: Sequence[str]) -> dict[str, Any]:
    """Writes the pages into `out` and returns what comparison.json holds."""
    from markupsafe import Markup

    found, equal = settings(runs)
    told = compared(found)
    known = baselines(runs)
    view = {
        "study": f"{len(runs)} runs compared" if len(runs) > 1 else "One run",
        "told": told,
        "lines": [*left_out, *told["apart"]],
        "corpus": text(equal.get("corpus.name", "several")),
        "model": text(equal.get("model.name_or_path", "several")),
        "metric": title(told["metrics"][0]),
        **_tables(found, told),
        "without_model": without_model({"baselines": known}, told["metrics"][0]),
        "plots": [{**plot, "svg": Markup(plot["svg"])} for plot in sweeps.plots(found, told, known)],
        "equal": facts(equal),
        "method": {"resamples": f"{RESAMPLES:,}", "permutations": f"{PERMUTATIONS:,}"},
        "with_first_alone": len(found) > ALL_PAIRS,
    }
    out.mkdir(parents=True, exist_ok=True)
    write(out / "comparison.html", "comparison.html.j2", view)
    write(out / "comparison.md", "comparison.md.j2", view)
    (out / "comparison.json").write_text(json.dumps({**told, "equal": equal}, indent=2) + "\n", encoding="utf-8")
    csv_export.write_csv(out / "results.csv", columns(found), rows(told))
    csv_export.write_csv(
        out / "comparisons.csv", COMPARISONS, ({key: row[key] for key in COMPARISONS} for row in told["comparisons"])
    )
    return told


def baselines(runs: Sequence[Run]) -> Mapping[str, Any]:
    """What needs no model, where it is the same in all runs: test questions of other seeds have others."""
    found: Mapping[str, Any] = runs[0].results.get("baselines", {})
    return found if all(run.results.get("baselines", {}) == found for run in runs) else {}


def _tables(found: Sequence[RunGroup], told: Mapping[str, Any]) -> dict[str, Any]:
    metric = told["metrics"][0]
    arms = list(dict.fromkeys(arm for entry in told["settings"] for arm in entry["arms"]))
    seeds = list(dict.fromkeys(seed for setting in found for seed in setting.runs))
    return {
        "fields": list(found[0].values),
        "arms": arms,
        "seeds": seeds,
        "tables": [
            {"metric": title(name), "rows": [_setting(entry, arms, name) for entry in told["settings"]]}
            for name in told["metrics"]
        ],
        "by_seed": _by_seed(told, metric, seeds) if any(len(setting.runs) > 1 for setting in found) else [],
        "differences": [
            {
                **difference(row),
                "n": f"{row['n']:,}",
                "a": _side(row, "a", len(found)),
                "b": _side(row, "b", len(found)),
            }
            for row in told["comparisons"]
            if row["metric"] == metric
        ],
        "runs": [(setting.name, seed, str(run.folder)) for setting in found for seed, run in setting.runs.items()],
    }


def _setting(entry: Mapping[str, Any], arms: Sequence[str], metric: str) -> dict[str, Any]:
    figures = [entry["arms"].get(arm, {}).get("metrics", {}).get(metric) for arm in arms]
    asked = {f"{arm['n']:,}" for arm in entry["arms"].values()}
    return {
        "name": entry["name"],
        "values": [text(value) for value in entry["values"].values()],
        "seeds": ", ".join(entry["runs"]),
        "n": " / ".join(sorted(asked)),
        "cells": [cell(figure) for figure in figures],
    }


def _by_seed(told: Mapping[str, Any], metric: str, seeds: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for entry in told["settings"]:
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


def _side(row: Mapping[str, Any], side: str, settings_found: int) -> str:
    arm = str(row[f"arm_{side}"])
    return f"{arm}, {row[side]}" if settings_found > 1 else arm


def columns(found: Sequence[RunGroup]) -> tuple[str, ...]:
    """What `rows` can have: the settings that differ stand between a setting's name and its figures."""
    return ("setting", *found[0].values, "condition", "arm", "metric", "seed", "value", "low", "high", "n")


def rows(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Pooled figures, those under conditions, and the figures of each seed."""
    for entry in told["settings"]:
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


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else text(value)
