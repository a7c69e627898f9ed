"""Line plots: a metric against a swept number, and losses against training steps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from raft_exp.evaluation.results import Baseline, Figure
from raft_exp.reporting.formats import title
from raft_exp.reporting.plots.drawing import (
    FAINT,
    MARKERS,
    SERIES,
    axis_start,
    baseline_values,
    legend,
    new_axes,
    picture,
    short,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_POINTS = 200  # largest number of points of a loss curve
_LEGEND = 48  # letters of a name in the legend
_LOGARITHMIC = 30  # ratio of largest to smallest number above which the axis is logarithmic

Curve = Sequence[tuple[int, float]]
Point = tuple[float, Figure]  # (x, y)
Lines = Mapping[str, Sequence[Point]]


def curves(
    lines: Lines,
    metric: str,
    xlabel: str,
    baselines: Mapping[str, Baseline],
    *,
    ticks: Mapping[float, str] | None = None,
) -> str:
    """Draws a metric against a number: a curve with 95% intervals for each line. Returns SVG, or "" without points.

    `ticks`: number on the x axis -> its name.
    """
    places = sorted({x for points in lines.values() for x, _ in points})
    if not places:
        return ""
    wide = not ticks and places[0] > 0 and places[-1] / places[0] > _LOGARITHMIC  # learning rates
    step = 0 if wide else (places[-1] - places[0]) / max(1, len(places) - 1) or 1.0

    def draw(width: float) -> "MatplotlibFigure":
        figure, axes = new_axes(width, 3.1)
        axes.set_xscale("log" if wide else "linear")
        for index, (name, points) in enumerate(lines.items()):
            shift = 0.05 * step * (index - (len(lines) - 1) / 2)  # intervals at one x are side by side
            values = [100 * y["value"] for _, y in points]
            below = [100 * (y["value"] - y["low"]) for _, y in points]
            above = [100 * (y["high"] - y["value"]) for _, y in points]
            axes.errorbar(
                [x + shift for x, _ in points],
                values,
                [below, above],
                label=short(name, _LEGEND),
                linewidth=1.6,
                color=SERIES[index % len(SERIES)],
                marker=MARKERS[index % len(MARKERS)],
                markersize=5,
                linestyle="" if ticks else "solid",
                clip_on=False,
            )
        # the names of two close baselines are at opposite ends
        for place, (name, value) in enumerate(baseline_values(baselines, metric)):
            axes.axhline(value, color=FAINT, linestyle=(0, (4, 3)), linewidth=1.2, zorder=0)
            axes.annotate(
                name,
                (1 - place % 2, value),
                (0, 2),
                fontsize=9,
                ha=("right", "left")[place % 2],
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
            )
        axes.set_xticks(list(ticks or places), [short(ticks[x]) if ticks else f"{x:g}" for x in ticks or places])
        axes.minorticks_off()
        if ticks:
            axes.set_xlim(-0.5, len(ticks) - 0.5)
        axes.set_ylim(bottom=axis_start(y for points in lines.values() for _, y in points))
        axes.set_xlabel(xlabel)
        axes.set_ylabel(f"{title(metric)}, %")
        axes.grid(axis="y", color=FAINT, linewidth=0.5, alpha=0.5)
        legend(figure, [short(name, _LEGEND) for name in lines])
        return figure

    return picture(draw, f"{title(metric)} against {xlabel}; the table below holds the figures")


def losses(adapters: Mapping[str, Mapping[str, Curve]]) -> str:
    """Draws the training loss and the validation loss (dashed) of each adapter. Returns SVG, or "" without losses.

    `adapters`: adapter -> column ("loss" or "validation_loss") -> curve.
    """
    from matplotlib.ticker import MaxNLocator

    drawn = {name: columns for name, columns in adapters.items() if columns}
    if not drawn:
        return ""

    def draw(width: float) -> "MatplotlibFigure":
        figure, axes = new_axes(width, 3.0)
        for index, (name, columns) in enumerate(drawn.items()):
            colour = SERIES[index % len(SERIES)]
            for column, line in (("loss", "solid"), ("validation_loss", "dashed")):
                if columns.get(column):
                    steps, values = zip(*_thinned(columns[column]), strict=True)
                    label = short(name) + (", validation" if column != "loss" else "")
                    marker = "o" if len(steps) == 1 else ""
                    axes.plot(steps, values, marker=marker, color=colour, linestyle=line, linewidth=1.6, label=label)
        axes.set_xlabel("optimizer step")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        axes.set_ylabel("loss")
        axes.grid(axis="y", color=FAINT, linewidth=0.5, alpha=0.5)
        figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=10)
        return figure

    return picture(draw, "Training and validation loss over the steps")


def _thinned(curve: Curve) -> list[tuple[float, float]]:
    """Returns at most `_POINTS` points. Each is the mean of adjacent points of the curve."""
    size = -(-len(curve) // _POINTS)
    groups = [curve[start : start + size] for start in range(0, len(curve), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
