"""The paper's figures 5 and 6: curves with intervals, and tables of the same figures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from raft_exp.reporting.facts import section
from raft_exp.reporting.formats import percent, title
from raft_exp.reporting.paper.parts import PaperPart
from raft_exp.reporting.plots import curves
from raft_exp.reporting.settings import number
from raft_exp.reporting.tables import NONE, Cell, cell

_ARMS = ("raft", "rag")  # figure 5
_P, _D, _AT_TEST = "dataset.p", "dataset.num_distractors", "num_distractors"

Points = dict[str, list[curves.Point]]  # line -> points


class PaperFigure(TypedDict):
    """A figure of the paper on one data set."""

    name: str
    svg: str
    published: str  # a phrase about the paper's best value
    ours: str  # a phrase about our best value
    heads: list[str]  # the numbers on the x axis
    rows: list[tuple[str, list[Cell]]]  # (name of the line, its figures)


def figure5(parts: Iterable[PaperPart]) -> list[PaperFigure]:
    """Returns figure 5 for each data set: a metric against p, the share of training rows with gold."""
    return [_figure5(part) for part in parts]


def _figure5(part: PaperPart) -> PaperFigure:
    lines: Points = {}
    for p, group in part.over(_P):
        for arm in _ARMS:
            if figure := part.figure(group, arm):
                lines.setdefault(arm, []).append((p, figure))
    best = part.published.get("p")
    published = f"published: the best p is {best:g}%" if best is not None else "published: not in the paper's figure"
    return _drawn(part, lines, "p: share of training rows with gold", published, _best(lines))


def figure6(parts: Iterable[PaperPart]) -> list[PaperFigure]:
    """Returns figure 6 for each data set: a metric against the number of distractors at test.

    Each number of distractors in training (D) has a line.
    """
    return [_figure6(part) for part in parts]


def _figure6(part: PaperPart) -> PaperFigure:
    lines: Points = {}
    for d, group in part.over(_D):
        run = next(iter(group.runs.values()))
        for condition in group.conditions:
            x = number(section(run.conditions, condition).get(_AT_TEST))
            figure = part.figure(group, "raft", condition) if x is not None else None
            if x is not None and figure:
                lines.setdefault(f"D={d:g}", []).append((x, figure))
    lines = {name: sorted(points, key=lambda point: point[0]) for name, points in lines.items()}
    best = part.published.get("distractors")
    published = f"published: the best D is {best}" if best is not None else "published: not in the paper's figure"
    means = {name: sum(y["value"] for _, y in points) / len(points) for name, points in lines.items()}
    ours = _highest(means, "the highest mean over the test contexts", percent(max(means.values()))) if means else ""
    return _drawn(part, lines, "distractors in the test context", published, ours)


def _best(lines: Mapping[str, Sequence[curves.Point]]) -> str:
    """Describes the highest point of RAFT's line, with its interval."""
    points = lines.get("raft", [])
    if not points:
        return ""
    _, top = max(points, key=lambda point: point[1]["value"])
    figure = f"{percent(top['value'])} ({percent(top['low'])}\N{EN DASH}{percent(top['high'])})"
    return _highest({f"p = {100 * x:g}%": y["value"] for x, y in points}, "the highest figure", figure)


def _highest(values: Mapping[str, float], what: str, figure: str) -> str:
    """Returns a phrase that names the highest of the values, or several that are equal. `figure`: the value as text."""
    names = [name for name, value in values.items() if value == max(values.values())]
    if len(names) == len(values) > 1:
        return f"here: all have the same figure, {figure}"
    return f"here: {' and '.join(names)} {'have' if len(names) > 1 else 'has'} {what}, {figure}"


def _drawn(part: PaperPart, lines: Points, axis: str, published: str, ours: str) -> PaperFigure:
    shown = {name: points for name, points in lines.items() if points}
    places = sorted({x for points in shown.values() for x, _ in points})
    of = {name: dict(points) for name, points in shown.items()}
    svg = curves.curves(shown, part.metric, axis, {}) if shown else ""
    return {
        "name": part.name + (f": {title(part.metric)}" if part.runs else ""),
        "svg": svg,
        "published": published,
        "ours": ours or f"here: {NONE}",
        "heads": [f"{x:g}" for x in places],
        "rows": [(name, [cell(points.get(x)) for x in places]) for name, points in of.items()],
    }
