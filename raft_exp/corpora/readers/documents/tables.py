"""Writes the rows of a table as lines of text."""

from collections.abc import Sequence
from typing import NamedTuple

_COLUMNS = 1_000  # largest number of columns that are filled from cells of the rows above


class Cell(NamedTuple):
    """A cell that spans `down` rows (0: all remaining rows) and `across` columns."""

    text: str
    down: int = 1
    across: int = 1


def lines(rows: Sequence[Sequence[str]], header: int = 0) -> list[str]:
    """Returns one line per row: "name: value; name: value" with column names, else "a | b".

    `header`: how many rows at the top have column names. In `rows` a merged cell is repeated for each of its rows and
    columns; a cell that spans a whole row occurs once. Empty rows are left out.
    """
    body = [list(row) for row in rows[header:] if any(row)]
    if not header or not body:
        return [" | ".join(_trimmed(row)) for row in rows if any(row)]
    names = [_name(column) for column in _columns(rows[:header], max(map(len, rows)))]
    return [_named(names, row) for row in body]


def placed(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """Returns the rows with one text per column. A merged cell is repeated in each of its rows and columns.

    A cell that spans a whole row occurs once.
    """
    reaching = dict[int, tuple[int, str]]()  # by column: rows still to fill, and the text
    found = []
    for place, row in enumerate(rows):
        texts: list[str] = []
        _fill(texts, reaching)
        for cell in row:
            left = (cell.down or len(rows) - place) - 1
            for _ in range(cell.across):
                if left > 0 and len(texts) < _COLUMNS:
                    reaching[len(texts)] = left, cell.text
                texts.append(cell.text)
                _fill(texts, reaching)
        while beyond := [column for column in reaching if column > len(texts)]:
            texts += [""] * (min(beyond) - len(texts))
            _fill(texts, reaching)
        found.append(texts[:1] if len(row) == 1 and row[0].across == len(texts) else texts)
    return found


def _fill(texts: list[str], reaching: dict[int, tuple[int, str]]) -> None:
    """Adds the cells that extend from above into the next columns of this row."""
    while (column := len(texts)) in reaching:
        left, text = reaching.pop(column)
        if left > 1:
            reaching[column] = left - 1, text
        texts.append(text)


def _columns(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    return [[row[place] for row in rows if place < len(row)] for place in range(width)]


def _name(cells: Sequence[str]) -> str:
    """Joins the names of a column under several header rows, without repetitions."""
    return " ".join(dict.fromkeys(cell for cell in cells if cell))


def _named(names: Sequence[str], row: Sequence[str]) -> str:
    if len(row) == 1 and len(names) > 1:
        return row[0]
    pairs = zip(names, row, strict=False)
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)


def _trimmed(row: Sequence[str]) -> Sequence[str]:
    """Returns a row without empty cells at its end."""
    width = max(place for place, cell in enumerate(row, start=1) if cell)
    return row[:width]
