"""Reads tables of Word files: rows of texts, with merged cells repeated and deleted rows left out."""

from collections.abc import Callable, Iterator

from raft_exp.corpora.readers.documents import tables
from raft_exp.corpora.readers.documents.docx_styles import W, is_on, value
from raft_exp.corpora.readers.documents.docx_text import inside
from raft_exp.corpora.readers.documents.ooxml import Element

_WIDEST = 200  # columns that a merged cell may span: a file could name any number
_Flat = Callable[[Element], list[str]]


def is_column(table: Element) -> bool:
    """Whether a table has one cell per row, i.e. is a frame around text rather than a table of values."""
    return all(len(cells) == 1 for _, cells in Table(table).elements())


class Table:
    """A table of a Word file. The parameter `flat` of its methods is a function that returns the lines of a cell."""

    def __init__(self, table: Element) -> None:
        self._table = table

    def lines(self, flat: _Flat) -> list[str]:
        """Returns the rows as lines of text. Rows that are marked as headers give the column names."""
        header = 0
        for row, _ in self.elements():
            if not is_on(row.find(f"{W}trPr/{W}tblHeader")):
                break
            header += 1
        return tables.lines(self.rows(flat), header)

    def cells(self) -> Iterator[Element]:
        """Yields all cells in order."""
        for _, cells in self.elements():
            yield from cells

    def elements(self) -> Iterator[tuple[Element, list[Element]]]:
        """Yields (row, cells) without deleted rows and cells."""
        for row in inside(self._table, f"{W}tr"):
            if not any(is_on(row.find(f"{W}trPr/{W}{mark}")) for mark in ("del", "moveFrom")):
                yield row, [cell for cell in inside(row, f"{W}tc") if not is_on(cell.find(f"{W}tcPr/{W}cellDel"))]

    def rows(self, flat: _Flat) -> list[list[str]]:
        """Returns the texts of the cells by row. A merged cell is repeated in each of its rows and columns.

        A cell that spans a whole row occurs once.
        """
        rows: list[list[str]] = []
        above = dict[int, str]()
        for row, cells in self.elements():
            texts = [""] * _number(value(row, f"{W}trPr/{W}gridBefore"), 0)
            for cell in cells:
                text = " ".join(" ".join(flat(cell)).split())
                merged = cell.find(f"{W}tcPr/{W}vMerge")
                if merged is not None and merged.get(f"{W}val", "continue") == "continue":
                    text = text or above.get(len(texts), "")
                above[len(texts)] = text
                beside = value(cell, f"{W}tcPr/{W}hMerge")
                texts += [texts[-1] if beside == "continue" and texts and not text else text] * _number(
                    value(cell, f"{W}tcPr/{W}gridSpan"), 1
                )
            rows.append(texts[-1:] if len(cells) == 1 and len(set(texts)) == 1 else texts)
        return rows


def _number(text: str, default: int) -> int:
    return min(int(text), _WIDEST) if text.isdecimal() else default
