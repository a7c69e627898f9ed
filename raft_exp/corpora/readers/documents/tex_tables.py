"""Tables of LaTeX: rows between "\\\\", cells between "&", merged cells repeated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raft_exp.corpora.readers.documents import csv_dialect, tables, tex_markup
from raft_exp.corpora.readers.documents.csv_dialect import Row
from raft_exp.corpora.readers.documents.tex_names import BREAKS

if TYPE_CHECKING:
    from pylatexenc.latexwalker import LatexNode

_RULES = ("hline", "midrule", "Xhline", "endhead", "endfirsthead", "hline\\hline")
_WIDEST = 200  # columns and rows that one cell may span: a file could name any number
_Words = Callable[["Sequence[LatexNode]"], str]


@dataclass
class _Row:
    cells: list["list[LatexNode]"] = field(default_factory=lambda: [[]])
    ruled: bool = False  # a rule is drawn below


def lines(environment: "LatexNode", words: _Words) -> list[str]:
    """Returns the rows as lines of text. The rows above the first rule inside the table may give the column names.

    They do so unless they have numbers above numbers (`csv_dialect.has_names`). `words`: a function that returns the
    text of nodes on one line.
    """
    rows = _split(environment.nodelist)
    texts = [[text for cell in row.cells for text in _spread(cell, words)] for row in rows]
    _fill(rows, texts, words)
    filled = [(row, cells) for row, cells in zip(rows, texts, strict=True) if any(cells)]
    header = next((place for place, (row, _) in enumerate(filled, start=1) if row.ruled), 0)
    body = [cells for _, cells in filled]
    if header and (header >= len(body) or not _names(body[:header], body[header:])):
        header = 0
    return tables.lines([_whole(cells) for cells in body], header)


def _split(nodes: "Sequence[LatexNode]") -> list[_Row]:
    rows = [_Row()]
    for node in nodes:
        kind = tex_markup.kind(node)
        if kind == "specials" and node.specials_chars == "&":
            rows[-1].cells.append([])
        elif kind == "macro" and node.macroname in BREAKS and node.macroname != "par":
            rows.append(_Row())
        elif kind == "macro" and node.macroname in _RULES:
            if len(rows) > 1:
                rows[-2].ruled = True
        else:
            rows[-1].cells[-1].append(node)
    return rows


def _spread(cell: "list[LatexNode]", words: _Words) -> list[str]:
    """Returns the text of a cell, once for each column that the cell spans."""
    text = words(cell)
    across = _span(cell, "multicolumn")
    return [text] * across


def _span(cell: "list[LatexNode]", name: str) -> int:
    for node in cell:
        if tex_markup.kind(node) == "macro" and node.macroname == name:
            count = "".join(inner.latex_verbatim() for inner in tex_markup.arguments(node)[0]).strip()
            return min(int(count), _WIDEST) if count.isdecimal() and int(count) else 1
    return 1


def _fill(rows: list[_Row], texts: list[list[str]], words: _Words) -> None:
    """Repeats the text of a multirow cell in the empty cells below it."""
    for place, row in enumerate(rows):
        column = 0
        for cell in row.cells:
            across, down = _span(cell, "multicolumn"), _span(cell, "multirow")
            for below in texts[place + 1 : place + down] if down > 1 else ():
                for at in range(column, min(column + across, len(below))):
                    below[at] = below[at] or words(cell)
            column += across


def _names(header: list[list[str]], body: list[list[str]]) -> bool:
    """Whether the rows above the rule are column names rather than numbers above numbers."""
    numbered = [Row(number, cells) for number, cells in enumerate(body, start=2)]
    return all(csv_dialect.has_names(Row(1, cells), numbered) for cells in header)


def _whole(cells: list[str]) -> list[str]:
    """Returns the cells; a cell that spans the whole row is returned once."""
    return cells[:1] if len(set(cells)) == 1 else cells
