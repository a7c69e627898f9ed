"""Reads charts and diagrams (DrawingML) of Word and PowerPoint files, from the values stored in the file."""

from itertools import chain

from raft_exp.corpora.readers.documents import tables
from raft_exp.corpora.readers.documents.ooxml import Element

C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"


def chart(root: Element) -> str:
    """Returns the titles of a chart and its axes, and its values as a table; "" without titles and values.

    The table has a row for each category and a column for each series.
    """
    series = list(root.iter(f"{C}ser"))
    categories = dict[int, str]()
    for item in series:
        categories |= _points(item, "cat") or _points(item, "xVal")
    columns = [_points(item, "val") or _points(item, "yVal") for item in series]
    places = sorted(set(chain(categories, *columns)))
    names = ["", *(_series_name(item, place) for place, item in enumerate(series, start=1))]
    rows = [[categories.get(place, ""), *(column.get(place, "") for column in columns)] for place in places]
    title = _words(root.find(f"{C}chart/{C}title"))
    axes = [_words(axis.find(f"{C}title")) for axis in root.iter(f"{C}catAx", f"{C}valAx", f"{C}dateAx")]
    heads = [f"Chart: {title}" if title else "Chart", ", ".join(filter(None, axes))]
    body = tables.lines([names, *rows], header=1) if rows else []
    return "\n".join([*filter(None, heads), *body]) if title or any(axes) or body else ""


def diagram(root: Element) -> str:
    """Returns the texts of a diagram (SmartArt), one per line."""
    points = (" ".join(_words(point).split()) for point in root.iter(f"{DIAGRAM}pt"))
    return "\n".join(filter(None, points))


def _series_name(series: Element, place: int) -> str:
    return " ".join(_points(series, "tx").values()) or _value(series.find(f"{C}tx/{C}v")) or f"series {place}"


def _points(series: Element, name: str) -> dict[int, str]:
    """Returns {index: value} from the element `name` ("cat", "val", ...) of a series.

    Category names with several levels are joined.
    """
    found = series.find(f"{C}{name}")
    points = dict[int, str]()
    for point in found.iter(f"{C}pt") if found is not None else ():
        if (place := point.get("idx", "")).isdecimal() and (text := _rounded(_value(point.find(f"{C}v")))):
            points[int(place)] = f"{text} {points[int(place)]}" if int(place) in points else text
    return points


def _rounded(text: str) -> str:
    """Returns a number as text without the error of its binary form: 4.2999999999999998 becomes 4.3."""
    try:
        return f"{float(text):.12g}" if "." in text and len(text) > 15 else text
    except ValueError:
        return text


def _value(element: Element | None) -> str:
    return "" if element is None else (element.text or "").strip()


def _words(element: Element | None) -> str:
    if element is None:
        return ""
    paragraphs = ("".join(inner.text or "" for inner in paragraph.iter(f"{A}t")) for paragraph in element.iter(f"{A}p"))
    return " ".join(filter(None, paragraphs))
