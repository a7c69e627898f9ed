"""Dots and intervals: the figure of each arm, and the difference of each arm from the reference arm."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from raft_exp.evaluation.results import Baseline, Results, Summary
from raft_exp.reporting.formats import title
from raft_exp.reporting.plots.drawing import (
    ACCENT,
    FAINT,
    INK,
    PAPER,
    axis_start,
    baseline_values,
    new_axes,
    picture,
    rows,
)
from raft_exp.reporting.verdict import distinguishable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def intervals(results: Results) -> str:
    """Draws each arm's figure in the main metric as a dot with a 95% interval, and each baseline as a dashed line.

    Returns SVG.
    """
    return of_arms(results["arms"], results["metrics"][0], results["reference"], results.get("baselines", {}), {})


def of_arms(
    arms: Mapping[str, Summary],
    metric: str,
    reference: str,
    baselines: Mapping[str, Baseline],
    by_seed: Mapping[str, Iterable[float]],
) -> str:
    """Draws the plot of `intervals` for the given arms, as SVG.

    `by_seed`: arm -> figures of its seeds, drawn as small dots. Arms without a figure in `metric` are left out.
    """
    arms = {name: arm for name, arm in arms.items() if metric in arm["metrics"]}

    def draw(width: float) -> "Figure":
        plot, axes = new_axes(width, 0.9 + 0.34 * len(arms))
        for place, (name, arm) in enumerate(arms.items()):
            figure = arm["metrics"][metric]
            value, low, high = 100 * figure["value"], 100 * figure["low"], 100 * figure["high"]
            colour = ACCENT if name == reference else INK
            axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="round", clip_on=False)
            axes.plot([value], [place], "o", color=colour, markersize=7, clip_on=False, zorder=3)
            if own := [100 * value for value in by_seed.get(name, ())]:
                axes.plot(own, [place + 0.25] * len(own), "o", color=FAINT, markersize=3, clip_on=False)
        for level, (name, value) in enumerate(baseline_values(baselines, metric)):
            axes.axvline(value, color=FAINT, linestyle=(0, (4, 3)), linewidth=1.2)
            axes.annotate(
                name,
                (value, 1),
                (3, 2 + 10 * level),
                fontsize=9,
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
            )
        rows(axes, list(arms))
        axes.set_xlim(left=axis_start(arm["metrics"][metric] for arm in arms.values()))
        axes.set_xlabel(f"{title(metric)}, %")
        return plot

    return picture(draw, f"{title(metric)} of each arm with its 95% interval; the table below holds the figures")


def differences(results: Results) -> str:
    """Draws the paired differences in the main metric with 95% intervals. Returns SVG, or "" without differences.

    A filled dot marks a significant difference. The pale bar is the range of true differences that the test detects
    with less than 80% power; results of older versions have no such bar.
    """
    metric = results["metrics"][0]
    comparisons = [row for row in results["comparisons"] if row["metric"] == metric]
    if not comparisons:
        return ""
    detectable = results.get("detectable", {}).get(metric, {})

    def draw(width: float) -> "Figure":
        figure, axes = new_axes(width, 0.9 + 0.34 * len(comparisons))
        axes.axvline(0, color=INK, linewidth=1)
        for place, row in enumerate(comparisons):
            if row["b"] in detectable:
                half = 100 * detectable[row["b"]]
                axes.barh([place], [2 * half], left=[-half], height=0.5, color=FAINT, alpha=0.35, linewidth=0)
            value, low, high = 100 * row["difference"], 100 * row["low"], 100 * row["high"]
            fill = ACCENT if distinguishable(row) else "none"
            axes.plot([low, high], [place, place], color=ACCENT, linewidth=2, solid_capstyle="round", zorder=3)
            if fill == "none":  # hides the line inside the ring
                axes.plot([value], [place], "o", color=PAPER, markersize=7, zorder=4)
            axes.plot([value], [place], "o", markerfacecolor=fill, markeredgecolor=ACCENT, markersize=7, zorder=5)
        rows(axes, [row["b"] for row in comparisons])
        axes.set_xlabel(f"{title(metric)}: {results['reference']} minus the other arm, points")
        return figure

    return picture(draw, f"Differences in {title(metric)} with 95% intervals; the table below holds the figures")
