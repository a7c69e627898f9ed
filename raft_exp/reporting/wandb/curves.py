"""How W&B names the curves of a sweep, and the history that it draws them from."""

from collections.abc import Iterable, Mapping
from typing import Any


def history(field: str, lines: Mapping[str, Iterable[tuple[float, Any]]]) -> list[dict[str, float]]:
    """A row for each value of the field, with what the lines have there."""
    rows: dict[float, dict[str, float]] = {}
    for line, points in lines.items():
        for x, figure in points:
            rows.setdefault(x, {axis(field): x})[curve(field, line)] = figure["value"]
    return [rows[x] for x in sorted(rows)]


def axis(field: str) -> str:
    """What W&B knows a swept field's values by: a dot in a name would part it."""
    return f"curve/{field.replace('.', '_')}"


def curve(field: str, line: str) -> str:
    """What W&B knows a line's values by."""
    return f"{axis(field)}/{line.replace('.', '_')}"
