"""The curves of a comparison: over what was swept in the settings, and over what the conditions sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

from raft_exp.reporting import conditions
from raft_exp.reporting.facts import text
from raft_exp.reporting.plots import curves
from raft_exp.reporting.settings import RunGroup, numeric

MOST_LINES = 6  # more colours cannot be told apart

Plot = dict[str, str]


def plots(found: Sequence[RunGroup], told: Mapping[str, Any], baselines: Mapping[str, Any]) -> list[Plot]:
    """{title, svg, note} of each curve; empty where nothing is a number."""
    metric = told["metrics"][0]
    made = [_plot(f"By {field}", field, _over(field, found, told), metric, told, baselines) for field in numeric(found)]
    for (field, rest), lines in _over_conditions(found, told).items():
        axis = conditions.Sweep(field, rest, []).axis
        heading = "By the place of gold at test" if field == "gold_at" else f"By {axis} at test"
        made.append(_plot(heading, axis, lines, metric, told, baselines))
    return [plot for plot in made if plot["svg"]]


def lines(found: Sequence[RunGroup], told: Mapping[str, Any]) -> dict[str, dict[str, list[curves.Point]]]:
    """{swept field: {line: points}} of the first metric: what the curves over settings are drawn of."""
    return {field: _named(_over(field, found, told), str(told["reference"])) for field in numeric(found)}


_Lines = dict[str, dict[str, list[curves.Point]]]  # arm -> what else differs -> points


def _over(field: str, found: Sequence[RunGroup], told: Mapping[str, Any]) -> _Lines:
    lines: _Lines = {}
    for setting, entry in zip(found, told["settings"], strict=True):
        rest = ", ".join(f"{name}={text(value)}" for name, value in setting.values.items() if name != field)
        for arm, figures in entry["arms"].items():
            if figure := figures["metrics"].get(told["metrics"][0]):
                lines.setdefault(arm, {}).setdefault(rest, []).append((float(setting.values[field]), figure))
    return lines


def _over_conditions(found: Sequence[RunGroup], told: Mapping[str, Any]) -> dict[tuple[str, str], _Lines]:
    metric, groups = told["metrics"][0], dict[tuple[str, str], _Lines]()
    for setting, entry in zip(found, told["settings"], strict=True):
        run = next(iter(setting.runs.values()))
        changed = {name: run.conditions.get(name, {}) for name in entry["conditions"]}
        rows = {conditions.STUDY: entry["arms"], **entry["conditions"]}
        for sweep in conditions.sweeps(changed, run.config.get("evaluation", {})):
            lines = groups.setdefault((sweep.field, sweep.rest), {})
            for arm in {arm: None for arms in entry["conditions"].values() for arm in arms}:
                points = [
                    (x, figure)
                    for x, name in sweep.points
                    if (figure := rows[name].get(arm, {}).get("metrics", {}).get(metric))
                ]
                lines.setdefault(arm, {})[setting.name] = points
    return groups


def _plot(
    heading: str, axis: str, lines: _Lines, metric: str, told: Mapping[str, Any], baselines: Mapping[str, Any]
) -> Plot:
    drawn = _named(lines, str(told["reference"]))
    shown = dict(list(drawn.items())[:MOST_LINES])
    left_out = len(drawn) - len(shown)
    note = f"{left_out} more lines are not drawn; the CSV file has them." if left_out else ""
    some = {name: points for name, points in shown.items() if len(points) > 1}
    return {"title": heading, "svg": curves.curves(some, metric, axis, {"baselines": baselines}), "note": note}


def _named(lines: _Lines, reference: str) -> dict[str, list[curves.Point]]:
    """The reference arm's lines first; lines that are the same in all settings (an arm that is not trained) once."""
    drawn: dict[str, list[curves.Point]] = {}
    for arm in sorted(lines, key=lambda name: name != reference):
        every = lines[arm]
        if len(every) == 1 or all(points == next(iter(every.values())) for points in every.values()):
            drawn[arm] = next(iter(every.values()))
        else:
            drawn |= {f"{arm}, {rest}": points for rest, points in every.items()}
    return drawn
