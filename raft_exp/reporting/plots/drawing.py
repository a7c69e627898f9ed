"""Common parts of the plots: colours, axes, conversion to SVG."""

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.evaluation.results import Baseline
from raft_exp.evaluation.results import Figure as MetricFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Placeholder colours: `svg` replaces them by variables of the page's style sheet, which has a light and a dark theme.
INK, ACCENT, FAINT, PAPER = "#010203", "#010204", "#010205", "#010206"
SERIES = ("#010210", "#010211", "#010212", "#010213", "#010214", "#010215")
MARKERS = ("o", "s", "^", "D", "v", "P")  # so that lines differ without colour as well
_COLOURS = {
    INK: "currentColor",
    ACCENT: "var(--accent)",
    FAINT: "var(--faint)",
    PAPER: "var(--paper)",
    **{colour: f"var(--series-{index})" for index, colour in enumerate(SERIES)},
}
_STYLE: dict[str, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "raft_exp",
    "text.parse_math": False,
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
# Inches, by class of report.css: one picture fills a wide page, the other has readable text on a phone.
WIDTHS = {"screen": 9.0, "phone": 5.0}
_LETTERS, _HANDLE = 12, 7  # letters per inch of the legend; width of an entry's marker in letters


@contextmanager
def style() -> Iterator[None]:
    """Applies the report's matplotlib settings inside the block."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        yield


def new_axes(width: float, height: float) -> "tuple[Figure, Axes]":
    """Returns a new figure of this size in inches, and its only axes."""
    # Not pyplot: it holds figures and a window system until the process ends.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def rows(axes: "Axes", names: list[str]) -> None:
    """Labels the y axis with `names`, one per row, the first at the top."""
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, pad=9)  # a dot at 0 is wider than the line
    axes.grid(axis="x", color=FAINT, linewidth=0.5, alpha=0.5)


def legend(figure: "Figure", names: list[str]) -> None:
    """Adds a legend of several names above the axes and makes room for it; a single name gets no legend."""
    if len(names) > 1:
        letters = round(_LETTERS * figure.get_figwidth())
        columns = max(1, min(len(names), letters // (max(map(len, names)) + _HANDLE)))
        figure.legend(loc="outside upper left", ncols=columns, frameon=False, fontsize=10)
        figure.set_figheight(figure.get_figheight() + 0.2 * (-(-len(names) // columns) - 1))


def axis_start(figures: Iterable[MetricFigure]) -> float:
    """Returns the start of an axis in percent: 0, or lower if an interval contains negative values."""
    return min([0.0, *(100 * figure["low"] for figure in figures)])


def baseline_values(baselines: Mapping[str, Baseline], metric: str) -> list[tuple[str, float]]:
    """Returns (name, percent) of each baseline that has the metric."""
    figures = ((name, baseline["metrics"].get(metric)) for name, baseline in baselines.items())
    return [(name, 100 * figure["value"]) for name, figure in figures if figure]


def short(name: str, most: int = 24) -> str:
    """Cuts a name to at most `most` characters."""
    return name if len(name) <= most else name[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def picture(draw: "Callable[[float], Figure]", description: str) -> str:
    """Returns a plot as SVG elements, one for each of `WIDTHS`. The page shows only the element that fits its width.

    `draw` makes the figure for a width in inches. `description` is the text for screen readers.
    """
    with style():
        return "".join(_svg(draw(width), description, name) for name, width in WIDTHS.items())


def _svg(figure: "Figure", description: str, name: str) -> str:
    from markupsafe import escape

    file = io.StringIO()
    no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=no_metadata)
    head, _, body = file.getvalue().partition("<svg")[2].partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    # matplotlib's group ids are the same in every plot, and its style element would apply to the whole page.
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", body)
    for placeholder, colour in _COLOURS.items():
        body = body.replace(placeholder, colour)
    return f'<svg class="{name}" {box.group() if box else ""} role="img" aria-label="{escape(description)}">{body}'


def standalone(pictures: str) -> str:
    """Returns the wide version of a plot as a complete SVG file, in the colours of the light theme.

    `pictures`: the plot as `picture` returns it.
    """
    wide = pictures.partition("</svg>")[0] + "</svg>"
    style_sheet = Path(__file__).parents[1] / "templates" / "report.css"
    light = style_sheet.read_text(encoding="utf-8").partition("}")[0]
    colours = dict(re.findall(r"(--[\w-]+):\s*(#\w+)", light))
    plain = re.sub(r"var\((--[\w-]+)\)", lambda match: colours[match[1]], wide)
    plain = plain.replace("currentColor", colours["--ink"])
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return plain.replace("<svg ", f'<svg {namespaces} style="background: #fff" ', 1)
