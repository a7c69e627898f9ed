"""The curves of a sweep in W&B: names of the logged values, and the rows of the history."""

from collections.abc import Iterable, Mapping

from raft_exp.reporting.plots.curves import Point


def history(field: str, lines: Mapping[str, Iterable[Point]]) -> list[dict[str, float]]:
    """Returns a row for each value of the swept field. It holds this value and the figure of each line."""
    rows: dict[float, dict[str, float]] = {}
    for line, points in lines.items():
        for x, figure in points:
            rows.setdefault(x, {axis(field): x})[curve(field, line)] = figure["value"]
    return [rows[x] for x in sorted(rows)]


def axis(field: str) -> str:
    """Returns the W&B name of a swept field. It has no dots, because W&B reads dots as nesting."""
    return f"curve/{field.replace('.', '_')}"


def curve(field: str, line: str) -> str:
    """Returns the W&B name of the y values of a line.

    `field`: the swept setting, on the x axis. `line`: the name of one line of the chart, for example of an arm.
    """
    return f"{axis(field)}/{line.replace('.', '_')}"
