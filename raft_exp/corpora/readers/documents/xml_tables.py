"""Reads tables of XML: those of HTML (tr, td, th) and of CALS (row, entry)."""

from collections.abc import Callable, Iterator

from raft_exp.corpora.readers.documents import tables
from raft_exp.corpora.readers.documents.ooxml import Element

TABLES = {"table", "informaltable", "tgroup"}
_ROWS, _CELLS = {"tr", "row"}, {"td", "th", "entry"}
_WIDEST = 200  # columns and rows that one cell may span: a file could name any number


def lines(table: Element, words: Callable[[Element], str]) -> list[str]:
    """Returns the title and the rows as lines of text; [] for an element without rows of cells.

    `words`: a function that returns the text of an element on one line.
    """
    rows = [(row, in_head, [cell for cell in row if _name(cell) in _CELLS]) for row, in_head in _rows(table, False)]
    filled = [(in_head, cells) for _, in_head, cells in rows if cells]
    if not filled:
        return []
    header = 0
    for in_head, cells in filled:
        if not (in_head or all(_name(cell) == "th" for cell in cells)):
            break
        header += 1
    placed = tables.placed([[_cell(cell, words) for cell in cells] for _, cells in filled])
    titles = [words(inner) for inner in table if _name(inner) in ("title", "caption")]
    return [*filter(None, titles), *tables.lines(placed, header)]


def _rows(element: Element, in_head: bool) -> Iterator[tuple[Element, bool]]:
    for inner in element:
        name = _name(inner)
        if name in _ROWS:
            yield inner, in_head
        elif name not in _CELLS:
            yield from _rows(inner, in_head or name == "thead")


def _cell(cell: Element, words: Callable[[Element], str]) -> tables.Cell:
    down = (
        _number(cell.get("morerows", "0"), 0) + 1 if cell.get("morerows", "") else _number(cell.get("rowspan", "1"), 1)
    )
    return tables.Cell(words(cell), down, max(1, _number(cell.get("colspan", "1"), 1)))


def _number(text: str, default: int) -> int:
    return min(int(text), _WIDEST) if text.isdecimal() else default


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2].lower() if isinstance(element.tag, str) else ""
