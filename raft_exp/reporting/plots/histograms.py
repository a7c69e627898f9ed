"""Histograms of a dataset: places of gold passages, passages in a row, lengths of prompts and completions."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from raft_exp.core.audit import SplitAudit
from raft_exp.reporting.plots.drawing import FAINT, INK, SERIES, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Tokens = Literal["prompt_tokens", "completion_tokens"]
_PANEL = 2.4  # inches, the width of a histogram
_TOKENS: tuple[Tokens, ...] = ("prompt_tokens", "completion_tokens")  # a test set has no completions


def audit(split: SplitAudit | None) -> str:
    """Draws the histograms of a split. Returns SVG, or "" if the audit does not have these figures."""
    from matplotlib.figure import Figure

    if not split or not {"gold_places", "passages_with_gold", "prompt_tokens", "completion_tokens"} <= set(split):
        return ""
    panels: list[Callable[[Axes, SplitAudit], None]] = [_places, _sizes] if split["gold_places"] else []
    panels += [partial(_lengths, name=name) for name in _TOKENS if split[name].get("max", 1)]

    def draw(width: float) -> Figure:
        columns = round(width / _PANEL)
        lines = -(-len(panels) // columns)
        figure = Figure(figsize=(width, 1.9 * lines), layout="constrained")
        for place, panel in enumerate(panels, start=1):
            axes = figure.add_subplot(lines, columns, place)
            panel(axes, split)
            axes.grid(axis="y", color=FAINT, linewidth=0.5, alpha=0.5)
            axes.tick_params(labelsize=9)
        return figure

    return picture(draw, "Histograms of the data set; the table below holds the figures")


def _places(axes: "Axes", split: SplitAudit) -> None:
    names, places = list(split["gold_places"]), split["gold_places"].values()
    axes.bar(names, [place["found"] for place in places], color=SERIES[0], width=0.7)
    expected = [place["expected"] for place in places]
    axes.plot(names, expected, "_", color=INK, markersize=12, label="by chance")
    axes.set_title("place of gold", fontsize=10)


def _sizes(axes: "Axes", split: SplitAudit) -> None:
    with_gold, without = split["passages_with_gold"], split["passages_without_gold"]
    names = sorted({*with_gold, *without}, key=int)
    lower = [with_gold.get(name, 0) for name in names]
    axes.bar(names, lower, color=SERIES[0], width=0.7, label="with gold")
    axes.bar(names, [without.get(name, 0) for name in names], bottom=lower, color=FAINT, width=0.7, label="without")
    axes.set_title("passages per row (pale: no gold)", fontsize=10)


def _lengths(axes: "Axes", split: SplitAudit, name: Tokens) -> None:
    histogram = split[name]["histogram"]
    widths = [right - left for left, right in pairwise(histogram["edges"])]
    axes.bar(histogram["edges"][:-1], histogram["counts"], widths, align="edge", color=SERIES[0])
    axes.set_title(f"tokens of the {name.removesuffix('_tokens')}", fontsize=10)
