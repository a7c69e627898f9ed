"""Histograms of a data set: where gold stands, how many passages a row has, how long prompts and replies are."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from raft_exp.reporting.plots.drawing import FAINT, INK, SERIES, WIDTH, style, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def audit(split: Mapping[str, Any]) -> str:
    """Where gold stands, how many passages a row has, how long prompts and replies are; "" without these figures."""
    from matplotlib.figure import Figure

    if not {"gold_places", "passages_with_gold", "prompt_tokens", "completion_tokens"} <= set(split):
        return ""
    panels: list[Callable[[Axes, Mapping[str, Any]], None]] = [_places, _sizes] if split["gold_places"] else []
    written = [name for name in ("prompt", "completion") if split[f"{name}_tokens"].get("max", 1)]  # a test set asks
    panels += [partial(_lengths, name=name) for name in written]
    lines = -(-len(panels) // 2)
    with style():
        figure = Figure(figsize=(WIDTH, 1.9 * lines), layout="constrained")
        for place, draw in enumerate(panels, start=1):
            axes = figure.add_subplot(lines, 2, place)
            draw(axes, split)
            axes.grid(axis="y", color=FAINT, linewidth=0.5, alpha=0.5)
            axes.tick_params(labelsize=9)
        return svg(figure, "Histograms of the data set; the figures stand in the list below")


def _places(axes: "Axes", split: Mapping[str, Any]) -> None:
    names = list(split["gold_places"])
    axes.bar(names, [split["gold_places"][name]["found"] for name in names], color=SERIES[0], width=0.7)
    expected = [split["gold_places"][name]["expected"] for name in names]
    axes.plot(names, expected, "_", color=INK, markersize=12, label="by chance")
    axes.set_title("place of gold", fontsize=10)


def _sizes(axes: "Axes", split: Mapping[str, Any]) -> None:
    with_gold, without = split["passages_with_gold"], split["passages_without_gold"]
    names = sorted({*with_gold, *without}, key=int)
    held = [with_gold.get(name, 0) for name in names]
    axes.bar(names, held, color=SERIES[0], width=0.7, label="with gold")
    axes.bar(names, [without.get(name, 0) for name in names], bottom=held, color=FAINT, width=0.7, label="without")
    axes.set_title("passages a row (pale: no gold)", fontsize=10)


def _lengths(axes: "Axes", split: Mapping[str, Any], name: str) -> None:
    found = split[f"{name}_tokens"]["histogram"]
    widths = [right - left for left, right in pairwise(found["edges"])]
    axes.bar(found["edges"][:-1], found["counts"], widths, align="edge", color=SERIES[0])
    axes.set_title(f"tokens of the {name}", fontsize=10)
