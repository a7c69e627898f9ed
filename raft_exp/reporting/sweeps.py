"""The curves of a comparison: over swept settings, and over the numbers that conditions change."""

from collections.abc import Iterator, Mapping, Sequence

from raft_exp.evaluation.metrics import FOLLOWS
from raft_exp.evaluation.results import Baseline, Figure, Summary
from raft_exp.reporting import conditions
from raft_exp.reporting.comparison_results import ComparisonResults
from raft_exp.reporting.comparison_special import special
from raft_exp.reporting.facts import section, text
from raft_exp.reporting.formats import title
from raft_exp.reporting.plots import arms, curves
from raft_exp.reporting.settings import RunGroup, number, numeric

MOST_LINES = 6  # there are six colours and markers


class NotedPlot(conditions.TitledPlot):
    """A plot with its heading and a note, which may be empty."""

    note: str


def plots(groups: Sequence[RunGroup], results: ComparisonResults, baselines: Mapping[str, Baseline]) -> list[NotedPlot]:
    """Returns a plot for each curve; for a single setting also a plot of its arms.

    Settings that are not numbers have no curve.
    """
    drawn = [_arms(results, baselines)] if len(groups) == 1 and len(results["settings"][0]["arms"]) > 1 else []
    for field in numeric(groups):
        drawn.append(_plot(f"By {field}", field, _over(field, groups, results), results, baselines))
        drawn += _special(field, groups, results)
    for (field, rest), lines in _over_conditions(groups, results).items():
        axis = conditions.Sweep(field, rest, []).axis
        heading = "By the place of gold at test" if field == "gold_at" else f"By {axis} at test"
        drawn.append(_plot(heading, axis, lines, results, baselines))
    return [plot for plot in drawn if plot["svg"]]


def _special(field: str, groups: Sequence[RunGroup], results: ComparisonResults) -> Iterator[NotedPlot]:
    """Yields the curves of invented answers and of followed false passages over a swept field."""
    for found in special(results):
        for metric in (name for name in ("invented_answers", FOLLOWS) if name in found["metrics"]):
            lines = _over(field, groups, results, metric, found["condition"])
            yield _plot(f"{title(metric)} by {field}, under {found['condition']}", field, lines, results, {}, metric)


def _arms(results: ComparisonResults, baselines: Mapping[str, Baseline]) -> NotedPlot:
    entry, metric = results["settings"][0], results["metrics"][0]
    shown = {name: arm for name, arm in entry["arms"].items() if metric in arm["metrics"]}
    several = len(entry["runs"]) > 1
    own = {name: entry["seeds"][name][metric]["values"].values() for name in shown} if several else {}
    picture = arms.of_arms(shown, metric, results["reference"], baselines, own)
    note = "Small dots: the figures of the seeds." if several else ""
    return {"title": "By arm", "svg": picture, "note": note}


def lines(groups: Sequence[RunGroup], results: ComparisonResults) -> dict[str, dict[str, list[curves.Point]]]:
    """Returns {swept field: {name of the line: points}} in the main metric."""
    return {field: _named(_over(field, groups, results), results["reference"]) for field in numeric(groups)}


_Lines = dict[str, dict[str, list[curves.Point]]]  # arm -> the other settings that differ -> points


def _over(
    field: str, groups: Sequence[RunGroup], results: ComparisonResults, metric: str = "", condition: str = ""
) -> _Lines:
    """Returns the curves of a metric over a swept field.

    `metric`: "" means the main metric. `condition`: "" means the study's own test.
    """
    lines: _Lines = {}
    for group, entry in zip(groups, results["settings"], strict=True):
        rest = ", ".join(f"{name}={text(value)}" for name, value in group.values.items() if name != field)
        x = number(group.values[field])
        assert x is not None, "a swept field is numeric"
        for arm, summary in (entry["conditions"].get(condition, {}) if condition else entry["arms"]).items():
            if figure := summary["metrics"].get(metric or results["metrics"][0]):
                lines.setdefault(arm, {}).setdefault(rest, []).append((x, figure))
    return lines


def _over_conditions(groups: Sequence[RunGroup], results: ComparisonResults) -> dict[tuple[str, str], _Lines]:
    metric, found = results["metrics"][0], dict[tuple[str, str], _Lines]()
    for group, entry in zip(groups, results["settings"], strict=True):
        run = next(iter(group.runs.values()))
        changed = {name: section(run.conditions, name) for name in entry["conditions"]}
        rows = {conditions.STUDY: entry["arms"], **entry["conditions"]}
        for sweep in conditions.sweeps(changed, section(run.config, "evaluation")):
            lines = found.setdefault((sweep.field, sweep.rest), {})
            for arm in {arm: None for under in entry["conditions"].values() for arm in under}:
                points = [(x, _figure(rows[name], arm, metric)) for x, name in sweep.points]
                lines.setdefault(arm, {})[group.name] = [(x, figure) for x, figure in points if figure]
    return found


def _figure(of_arms: Mapping[str, Summary], arm: str, metric: str) -> Figure | None:
    return of_arms[arm]["metrics"].get(metric) if arm in of_arms else None


def _plot(
    heading: str,
    axis: str,
    lines: _Lines,
    results: ComparisonResults,
    baselines: Mapping[str, Baseline],
    metric: str = "",
) -> NotedPlot:
    named = _named(lines, results["reference"])
    shown = dict(list(named.items())[:MOST_LINES])
    left_out = len(named) - len(shown)
    note = f"{left_out} more lines are not drawn; the CSV file has them." if left_out else ""
    drawn = {name: points for name, points in shown.items() if len(points) > 1}
    return {
        "title": heading,
        "svg": curves.curves(drawn, metric or results["metrics"][0], axis, baselines),
        "note": note,
    }


def _named(lines: _Lines, reference: str) -> dict[str, list[curves.Point]]:
    """Returns {name of the line: points}, the reference arm's lines first.

    An arm with equal points for all other settings, as untrained arms have, gets a single line.
    """
    named: dict[str, list[curves.Point]] = {}
    for arm in sorted(lines, key=lambda name: name != reference):
        every = lines[arm]
        first = next(iter(every.values()))
        if all(points == first for points in every.values()):
            named[arm] = first
        else:
            named |= {f"{arm}, {rest}": points for rest, points in every.items()}
    return named
