"""What all pictures share: the page's colours, the axes, and the SVG that comes out."""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Drawn in stand-in colours; the page's style says what they are, in light and in dark.
INK, ACCENT, FAINT, PAPER = "#010203", "#010204", "#010205", "#010206"
SERIES = ("#010210", "#010211", "#010212", "#010213", "#010214", "#010215")
MARKERS = ("o", "s", "^", "D", "v", "P")  # with the colours: two lines can be told apart without seeing colour
_COLOURS = {
    INK: "currentColor",
    ACCENT: "var(--accent)",
    FAINT: "var(--faint)",
    PAPER: "var(--paper)",
    **{colour: f"var(--series-{index})" for index, colour in enumerate(SERIES)},
}
_STYLE: Any = {  # its own type lists every setting of matplotlib
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
WIDTH = 5.0  # inches: narrow, so that the letters stay readable on a phone
_LETTERS, _HANDLE = 60, 7  # letters in a line of the legend; what the mark of an entry takes, in letters


@contextmanager
def style() -> Iterator[None]:
    """The look of a picture, for the time that it is drawn."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        yield


def new_axes(height: float) -> "tuple[Figure, Axes]":
    """One panel across the page, `height` in inches."""
    # Not pyplot: it keeps figures and a window system alive for the whole process.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def rows(axes: "Axes", names: list[str]) -> None:
    """One named row an entry, the first on top."""
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=FAINT, linewidth=0.5, alpha=0.5)


def legend(figure: "Figure", names: list[str]) -> None:
    """Above the panel, in columns that fit the width, and the picture grows for it; none for a single line."""
    if len(names) > 1:
        columns = max(1, min(3, _LETTERS // (max(map(len, names)) + _HANDLE)))
        figure.legend(loc="outside upper left", ncols=columns, frameon=False, fontsize=10)
        figure.set_figheight(figure.get_figheight() + 0.2 * (-(-len(names) // columns) - 1))


def baseline_values(results: Mapping[str, Any], metric: str) -> list[tuple[str, float]]:
    """(name, percent) of what needs no model."""
    found = ((name, arm["metrics"].get(metric)) for name, arm in results.get("baselines", {}).items())
    return [(name, 100 * figure["value"]) for name, figure in found if figure]


def short(name: str, most: int = 24) -> str:
    """A name that fits beside an axis, or (more letters) into a legend."""
    return name if len(name) <= most else name[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def svg(figure: "Figure", description: str) -> str:
    """The picture as an element of the page."""
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


def standalone(picture: str) -> str:
    """A picture as a file of its own: the page's style says its colours, a file says them itself."""
    style_sheet = Path(__file__).parents[1] / "templates" / "report.css"
    light = style_sheet.read_text(encoding="utf-8").partition("}")[0]
    colours = dict(re.findall(r"(--[\w-]+):\s*(#\w+)", light))
    plain = re.sub(r"var\((--[\w-]+)\)", lambda found: colours[found[1]], picture)
    plain = plain.replace("currentColor", colours["--ink"])
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return plain.replace("<svg ", f'<svg {namespaces} style="background: #fff" ', 1)
