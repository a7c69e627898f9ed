"""Dots and intervals: what each arm reaches, and how far the others are from the reference arm."""

from collections.abc import Mapping
from typing import Any

from raft_exp.reporting.plots.drawing import ACCENT, FAINT, INK, PAPER, baseline_values, new_axes, rows, style, svg
from raft_exp.reporting.verdict import distinguishable, title


def intervals(results: Mapping[str, Any]) -> str:
    """A dot and a 95% interval for each arm, on the first metric; a dashed line for each baseline."""
    metric, arms = results["metrics"][0], results["arms"]
    with style():
        figure, axes = new_axes(0.9 + 0.34 * len(arms))
        for place, (name, arm) in enumerate(arms.items()):
            value, low, high = (100 * arm["metrics"][metric][key] for key in ("value", "low", "high"))
            colour = ACCENT if name == results["reference"] else INK
            axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
            axes.plot([value], [place], "o", color=colour, markersize=7)
        for level, (name, value) in enumerate(baseline_values(results, metric)):
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
        axes.set_xlabel(f"{title(metric)}, %")
        return svg(figure, f"{title(metric)} of each arm with its 95% interval; the table below holds the figures")


def differences(results: Mapping[str, Any]) -> str:
    """The paired differences on the first metric with their intervals, pale where chance explains them; "" for none.

    The broad pale bar is what the test could not be relied on to find, where the results say how much that is.
    """
    metric = results["metrics"][0]
    found = [row for row in results["comparisons"] if row["metric"] == metric]
    if not found:
        return ""
    detectable = results.get("detectable", {}).get(metric, {})
    with style():
        figure, axes = new_axes(0.9 + 0.34 * len(found))
        axes.axvline(0, color=INK, linewidth=1)
        for place, row in enumerate(found):
            if row["b"] in detectable:
                width = 100 * detectable[row["b"]]
                axes.barh([place], [2 * width], left=[-width], height=0.5, color=FAINT, alpha=0.35, linewidth=0)
            value, low, high = (100 * row[key] for key in ("difference", "low", "high"))
            fill = ACCENT if distinguishable(row) else "none"
            axes.plot([low, high], [place, place], color=ACCENT, linewidth=2, solid_capstyle="round", zorder=3)
            if fill == "none":  # the line must not show through the ring
                axes.plot([value], [place], "o", color=PAPER, markersize=7, zorder=4)
            axes.plot([value], [place], "o", markerfacecolor=fill, markeredgecolor=ACCENT, markersize=7, zorder=5)
        rows(axes, [row["b"] for row in found])
        axes.set_xlabel(f"{title(metric)}: {results['reference']} minus the other arm, points")
        return svg(figure, f"Differences in {title(metric)} with 95% intervals; the table below holds the figures")
