"""Reads tables of web pages: rows with merged cells repeated, and the column names of the header cells."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raft_exp.corpora.readers.documents import tables
from raft_exp.corpora.readers.documents.html_tree import nodes

if TYPE_CHECKING:
    from bs4.element import Tag

_WIDEST = 200  # columns that a merged cell may span: a page could name any number
_FRAMED = {"table", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "textarea"}  # a table with one of them has no values
_LONGEST = 1_000  # characters of a cell; a longer cell is an article, not a value


def is_data(table: "Tag") -> bool:
    """Whether a table contains values. Other tables only place text on the page."""
    from bs4.element import Tag

    if str(table.get("role", "")) in ("presentation", "none"):
        return False
    names = beside = framed = False  # names of columns; cells side by side; a cell that is an article
    cells = paragraphs = length = 0  # of the row, and of the cell
    for node in nodes(table):
        if not isinstance(node, Tag):
            length += len(str(node))
        elif node.name in _FRAMED:
            return False
        elif node.name == "tr":
            cells = 0
        elif node.name in ("td", "th"):
            names = names or node.name == "th"
            cells, paragraphs, length = cells + 1, 0, 0
            beside = beside or cells > 1
        elif node.name == "p":
            paragraphs += 1
        framed = framed or paragraphs > 1 or length > _LONGEST
    return names or (beside and not framed)


@dataclass
class _Cell:
    named: bool  # <th>
    down: int  # rows that it spans; 0: all that follow
    across: int  # columns that it spans
    pieces: list[str] = field(default_factory=list)

    def text(self) -> str:
        return " ".join("".join(self.pieces).split())


class Grid:
    """Collects the cells of a table in the order of the page."""

    def __init__(self) -> None:
        self._caption: list[str] = []
        self._rows: list[list[_Cell]] = []

    def row(self) -> None:
        """Begins a row."""
        self._rows.append([])

    def cell(self, tag: "Tag") -> None:
        """Begins a cell."""
        if not self._rows:
            self.row()
        down, across = _number(tag.get("rowspan")), max(1, _number(tag.get("colspan")))
        self._rows[-1].append(_Cell(tag.name == "th", down, min(across, _WIDEST)))

    def add(self, text: str) -> None:
        """Adds text to the last cell, or to the caption."""
        begun = self._rows and self._rows[-1]
        (self._rows[-1][-1].pieces if begun else self._caption).append(text)

    def lines(self) -> list[str]:
        """Returns the caption, and one line per row of values, with the column names."""
        caption = " ".join("".join(self._caption).split())
        rows = [row for row in self._rows if row]
        texts = tables.placed([[tables.Cell(cell.text(), cell.down, cell.across) for cell in row] for row in rows])
        found = [caption] if caption else []
        for start, end, header in _sections(rows):
            found += tables.lines(texts[start:end], header)
        return found


def _number(value: object) -> int:
    text = str(value or "1").strip()
    return int(text[:6]) if text.isdecimal() else 1


def _sections(rows: list[list[_Cell]]) -> list[tuple[int, int, int]]:
    """Returns the parts of a table that begin with header rows, as (first row, end, number of header rows)."""
    names = [len(row) > 1 and all(cell.named for cell in row) for row in rows]
    starts = [place for place, is_names in enumerate(names) if is_names and (place == 0 or not names[place - 1])]
    starts = starts if starts[:1] == [0] else [0, *starts]
    sections = []
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        header = next((place for place in range(start, end) if not names[place]), end) - start
        sections.append((start, end, header))
    return sections
