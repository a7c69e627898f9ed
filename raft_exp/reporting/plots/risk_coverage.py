"""The curves of risk against coverage of the arms of a study."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from raft_exp.reporting.plots.drawing import FAINT, SERIES, legend, new_axes, picture, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def risk_coverage(curves: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """Draws risk against coverage, both in percent, with a line for each arm. Returns SVG, or "" without curves.

    `curves`: arm -> points (coverage, risk), shares in ascending order of coverage.
    """
    if not curves:
        return ""

    def draw(width: float) -> "Figure":
        figure, axes = new_axes(width, 3.1)
        for index, (name, points) in enumerate(curves.items()):
            places = [0.0, *(100 * coverage for coverage, _ in points)]
            risks = [100 * risk for _, risk in points]
            axes.plot(
                places,
                [risks[0], *risks],
                label=short(name),
                color=SERIES[index % len(SERIES)],
                linestyle="solid" if index < len(SERIES) else "dashed",
                linewidth=1.6,
            )
        axes.set_xlim(0, 100)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("coverage: accepted replies, %")
        axes.set_ylabel("risk: wrong ones among accepted replies, %")
        axes.grid(axis="y", color=FAINT, linewidth=0.5, alpha=0.5)
        legend(figure, [short(name) for name in curves])
        return figure

    return picture(draw, "Risk against coverage of each arm; results.json holds the points")
