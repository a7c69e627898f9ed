"""The pictures of the report, as SVG that stands inside the page and takes the page's colours."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from raft_exp.report.verdict import title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Drawn in stand-in colours; the page's style says what they are, in light and in dark.
_INK, _ACCENT, _FAINT = "#010203", "#010204", "#010205"
_SERIES = ("#010210", "#010211", "#010212", "#010213", "#010214", "#010215")
_COLOURS = {
    _INK: "currentColor",
    _ACCENT: "var(--accent)",
    _FAINT: "var(--faint)",
    **{colour: f"var(--series-{index})" for index, colour in enumerate(_SERIES)},
}
_STYLE: Any = {  # its own type lists every setting of matplotlib
    "svg.fonttype": "none",
    "svg.hashsalt": "raft_exp",
    "text.parse_math": False,
    "font.size": 11,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _FAINT,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_WIDTH = 5.0  # inches: narrow, so that the letters stay readable on a phone
_POINTS = 200  # of a curve: more cannot be told apart

Curve = Sequence[tuple[int, float]]


def intervals(results: Mapping[str, Any]) -> str:
    """A dot and a 95% interval for each arm, on the first metric; a dashed line for each baseline."""
    from matplotlib import rc_context

    metric, arms = results["metrics"][0], results["arms"]
    with rc_context(_STYLE):
        figure, axes = _axes(0.9 + 0.34 * len(arms))
        for place, (name, arm) in enumerate(arms.items()):
            value, low, high = (100 * arm["metrics"][metric][key] for key in ("value", "low", "high"))
            colour = _ACCENT if name == results["reference"] else _INK
            axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
            axes.plot([value], [place], "o", color=colour, markersize=7)
        for name, arm in results["baselines"].items():
            value = 100 * arm["metrics"][metric]["value"]
            axes.axvline(value, color=_FAINT, linestyle=(0, (4, 3)), linewidth=1.2)
            axes.annotate(
                name, (value, 1), (3, 2), xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=9
            )
        axes.set_yticks(range(len(arms)), [_short(name) for name in arms])
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=_FAINT, linewidth=0.5, alpha=0.5)
        axes.set_xlabel(f"{title(metric)}, %")
        return _svg(figure, f"{title(metric)} of each arm with its 95% interval; the table below holds the figures")


def conditions(results: Mapping[str, Any]) -> str:
    """The first metric of each arm under each condition, with 95% intervals; "" when there are no conditions."""
    from matplotlib import rc_context

    found, metric = results["conditions"], results["metrics"][0]
    if not found:
        return ""
    arms = [name for name in results["arms"] if any(name in row for row in found.values())]
    with rc_context(_STYLE):
        figure, axes = _axes(3.0)
        for index, arm in enumerate(arms):
            figures = [row[arm]["metrics"][metric] for row in found.values()]
            places = [place + 0.06 * (index - (len(arms) - 1) / 2) for place in range(len(found))]
            below = [100 * (one["value"] - one["low"]) for one in figures]
            above = [100 * (one["high"] - one["value"]) for one in figures]
            colour, values = _SERIES[index % len(_SERIES)], [100 * one["value"] for one in figures]
            axes.errorbar(places, values, [below, above], color=colour, marker="o", linewidth=1.6, label=_short(arm))
        axes.set_xticks(range(len(found)), [_short(name) for name in found])
        axes.set_ylabel(f"{title(metric)}, %")
        axes.grid(axis="y", color=_FAINT, linewidth=0.5, alpha=0.5)
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=10)
        return _svg(figure, f"{title(metric)} under each condition; the table below holds the figures")


def losses(curves: Mapping[str, Mapping[str, Curve]]) -> str:
    """The training loss of each adapter, the validation loss dashed; "" when there is none."""
    from matplotlib import rc_context
    from matplotlib.ticker import MaxNLocator

    drawn = {name: columns for name, columns in curves.items() if columns}
    if not drawn:
        return ""
    with rc_context(_STYLE):
        figure, axes = _axes(3.0)
        for index, (name, columns) in enumerate(drawn.items()):
            colour = _SERIES[index % len(_SERIES)]
            for column, style in (("loss", "solid"), ("validation_loss", "dashed")):
                if columns.get(column):
                    steps, values = zip(*_thinned(columns[column]), strict=True)
                    label = _short(name) + (", validation" if column != "loss" else "")
                    marker = "o" if len(steps) == 1 else ""
                    axes.plot(steps, values, marker=marker, color=colour, linestyle=style, linewidth=1.6, label=label)
        axes.set_xlabel("optimizer step")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        axes.set_ylabel("loss")
        axes.grid(axis="y", color=_FAINT, linewidth=0.5, alpha=0.5)
        figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=10)
        return _svg(figure, f"Training loss of {', '.join(drawn)}")


def audit(split: Mapping[str, Any]) -> str:
    """Where gold stands, how many passages a row has, how long prompts and replies are; "" without these figures."""
    from matplotlib import rc_context

    if not {"gold_places", "passages_with_gold", "prompt_tokens", "completion_tokens"} <= set(split):
        return ""
    panels: list[Callable[[Axes, Mapping[str, Any]], None]] = [_places, _sizes] if split["gold_places"] else []
    panels += [partial(_lengths, name="prompt"), partial(_lengths, name="completion")]
    with rc_context(_STYLE):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(_WIDTH, 0.95 * len(panels)), layout="constrained")
        for place, draw in enumerate(panels, start=1):
            axes = figure.add_subplot(len(panels) // 2, 2, place)
            draw(axes, split)
            axes.grid(axis="y", color=_FAINT, linewidth=0.5, alpha=0.5)
            axes.tick_params(labelsize=9)
        return _svg(figure, "Histograms of the data set; the figures stand in the list below")


def _places(axes: "Axes", split: Mapping[str, Any]) -> None:
    names = list(split["gold_places"])
    axes.bar(names, [split["gold_places"][name]["found"] for name in names], color=_SERIES[0], width=0.7)
    expected = [split["gold_places"][name]["expected"] for name in names]
    axes.plot(names, expected, "_", color=_INK, markersize=12, label="by chance")
    axes.set_title("place of gold", fontsize=10)


def _sizes(axes: "Axes", split: Mapping[str, Any]) -> None:
    with_gold, without = split["passages_with_gold"], split["passages_without_gold"]
    names = sorted({*with_gold, *without}, key=int)
    held = [with_gold.get(name, 0) for name in names]
    axes.bar(names, held, color=_SERIES[0], width=0.7, label="with gold")
    axes.bar(names, [without.get(name, 0) for name in names], bottom=held, color=_FAINT, width=0.7, label="without")
    axes.set_title("passages a row (pale: without gold)", fontsize=10)


def _lengths(axes: "Axes", split: Mapping[str, Any], name: str) -> None:
    found = split[f"{name}_tokens"]["histogram"]
    widths = [right - left for left, right in pairwise(found["edges"])]
    axes.bar(found["edges"][:-1], found["counts"], widths, align="edge", color=_SERIES[0])
    axes.set_title(f"tokens of the {name}", fontsize=10)


def _axes(height: float) -> "tuple[Figure, Axes]":
    # Not pyplot: it keeps figures and a window system alive for the whole process.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _thinned(curve: Curve) -> list[tuple[float, float]]:
    """At most `_POINTS` points: means of neighbours."""
    size = -(-len(curve) // _POINTS)
    groups = [curve[start : start + size] for start in range(0, len(curve), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "\N{HORIZONTAL ELLIPSIS}"


def _svg(figure: "Figure", description: str) -> str:
    from markupsafe import escape

    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    head, _, body = file.getvalue().partition("<svg")[2].partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    # matplotlib's group names repeat from picture to picture, and its style would reach the whole page.
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", body)
    for stand_in, colour in _COLOURS.items():
        body = body.replace(stand_in, colour)
    return f'<svg {box.group() if box else ""} role="img" aria-label="{escape(description)}">{body}'
