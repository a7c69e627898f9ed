"""The tables of a comparison: figures and differences as texts for the pages."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from raft_exp.evaluation.results import Figure, Summary
from raft_exp.reporting import conditions, provenance
from raft_exp.reporting.comparison_results import ComparisonResults, SettingComparison, SettingResult
from raft_exp.reporting.comparison_special import special
from raft_exp.reporting.facts import text
from raft_exp.reporting.formats import percent, slice_heading, slice_name, title
from raft_exp.reporting.runs import Run
from raft_exp.reporting.settings import RunGroup
from raft_exp.reporting.tables import NONE, cell, difference


def tables(groups: Sequence[RunGroup], results: ComparisonResults) -> dict[str, object]:
    """Returns the variables of the comparison templates by name."""
    metric = results["metrics"][0]
    arms = _arms(results)
    seeds = list(dict.fromkeys(seed for group in groups for seed in group.runs))
    return {
        "differing": _differing(groups),
        "names": [group.name for group in groups],
        "arms": arms,
        "seeds": seeds,
        "scope": _scope(groups, seeds),
        "tables": [
            {"metric": title(name), "rows": [_setting(entry, arms, name) for entry in results["settings"]]}
            for name in results["metrics"]
        ],
        "by_seed": _by_seed(results, metric, seeds) if any(len(group.runs) > 1 for group in groups) else [],
        "differences": _differences((row for row in results["comparisons"] if row["metric"] == metric), len(groups)),
        "conditions": [
            {"name": name, "rows": _differences(found, len(groups))}
            for name, found in results["condition_comparisons"].items()
        ],
        "under": _under(results, metric),
        "special": _special(results, len(groups)),
        "slices": _slices(results, metric),
        "runs": [(group.name, seed, _described(run)) for group in groups for seed, run in group.runs.items()],
    }


def _described(run: Run) -> str:
    """Returns the name of a run folder, with date, version and commit of the run."""
    facts = provenance.read(run.folder)
    return ", ".join([run.name, *(f"{name} {value}" for name, value in (provenance.describe(facts) if facts else []))])


def _arms(results: ComparisonResults) -> list[str]:
    """Returns the arms of all settings, the reference arm first."""
    arms = dict.fromkeys(arm for entry in results["settings"] for arm in entry["arms"])
    return sorted(arms, key=lambda arm: arm != results["reference"])


def _differing(groups: Sequence[RunGroup]) -> list[dict[str, object]]:
    """Returns a table of the fields that differ, if the names of the settings do not show them; else [].

    Rows: fields. Columns: settings.
    """
    if not any(group.named_by_run for group in groups):
        return []
    return [{"name": field, "cells": [text(group.values[field]) for group in groups]} for field in groups[0].values]


def _scope(groups: Sequence[RunGroup], seeds: Sequence[str]) -> list[str]:
    settings = "1 setting" if len(groups) == 1 else f"{len(groups)} settings"
    return [settings, f"1 seed ({seeds[0]})" if len(seeds) == 1 else f"{len(seeds)} seeds ({', '.join(seeds)})"]


def _setting(entry: SettingResult, arms: Sequence[str], metric: str) -> dict[str, object]:
    numbers = {f"{arm['n']:,}" for arm in entry["arms"].values()}
    return {
        "name": entry["name"],
        "seeds": ", ".join(entry["runs"]),
        "n": " / ".join(sorted(numbers)),
        "cells": [cell(_of(entry["arms"], arm, metric)) for arm in arms],
    }


def _of(arms: Mapping[str, Summary], arm: str, metric: str) -> Figure | None:
    return arms[arm]["metrics"].get(metric) if arm in arms else None


def _differences(compared_arms: Iterable[SettingComparison], settings_compared: int) -> list[dict[str, object]]:
    return [
        {
            **difference(row),
            "n": f"{row['n']:,}",
            "seeds": str(len(row["seeds"])),
            "a": _side(row, "a", settings_compared),
            "b": _side(row, "b", settings_compared),
        }
        for row in compared_arms
    ]


def _under(results: ComparisonResults, metric: str) -> dict[str, object]:
    """Returns the table of figures under conditions.

    Rows: setting and arm. Columns: the study's own context, then the conditions.
    """
    names = list(dict.fromkeys(name for entry in results["settings"] for name in entry["conditions"]))
    rows = [
        {"name": entry["name"], "arm": arm, "cells": [cell(_of(arms, arm, metric)) for arms in (entry["arms"], *under)]}
        for entry in results["settings"]
        for under in [[entry["conditions"].get(name, {}) for name in names]]
        for arm in _arms(results)
        if arm in entry["arms"] and any(arm in arms for arms in under)
    ]
    return {"columns": [conditions.STUDY, *names], "rows": rows}


def _special(results: ComparisonResults, settings_compared: int) -> list[dict[str, object]]:
    """Returns a table of refusals, or of false passages, for each condition that has their metrics."""
    return [
        {
            "name": found["condition"],
            "columns": [title(metric) for metric in found["metrics"]],
            "rows": [
                {"name": row["setting"], "arm": row["arm"], "cells": [cell(figure) for figure in row["figures"]]}
                for row in found["rows"]
            ],
            "differences": [
                {"metric": title(metric), "rows": _differences(rows, settings_compared)}
                for metric, rows in found["differences"]
            ],
        }
        for found in special(results)
    ]


def _slices(results: ComparisonResults, metric: str) -> list[dict[str, object]]:
    """Returns a table for each slice. Rows: setting and value of the slice. Columns: arms."""
    arms = _arms(results)
    tables: dict[str, list[dict[str, object]]] = {}
    for entry in results["settings"]:
        for name, values in entry["slices"].items():
            for value, figures in values.items():
                n = f"{next(iter(figures.values()))['n']:,}"
                cells = [cell(_of(figures, arm, metric)) for arm in arms]
                tables.setdefault(name, []).append({"name": entry["name"], "value": value, "n": n, "cells": cells})
    return [
        {"heading": slice_heading(name), "name": slice_name(name), "arms": arms, "rows": found}
        for name, found in tables.items()
    ]


def _by_seed(results: ComparisonResults, metric: str, seeds: Sequence[str]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for entry in results["settings"]:
        for arm in _arms(results):
            if arm in entry["arms"] and (figure := entry["seeds"].get(arm, {}).get(metric)):
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
