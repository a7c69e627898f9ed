"""Writes the rows of a table as lines of text."""

from collections.abc import Sequence


def lines(rows: Sequence[Sequence[str]], header: int = 0) -> list[str]:
    """One line a row. The first `header` rows name the columns: "name: value; name: value"; without them "a | b".

    A cell that is merged over several rows or columns stands in `rows` once for each of them; one that is a whole row
    stands there once. Empty rows are left out.
    """
    body = [list(row) for row in rows[header:] if any(row)]
    if not header or not body:
        return [" | ".join(_trimmed(row)) for row in rows if any(row)]
    names = [_name(column) for column in _columns(rows[:header], max(map(len, rows)))]
    return [_named(names, row) for row in body]


def _columns(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    return [[row[place] for row in rows if place < len(row)] for place in range(width)]


def _name(cells: Sequence[str]) -> str:
    """The name of a column under several rows of names, without repetitions."""
    return " ".join(dict.fromkeys(cell for cell in cells if cell))


def _named(names: Sequence[str], row: Sequence[str]) -> str:
    if len(row) == 1 and len(names) > 1:
        return row[0]
    pairs = zip(names, row, strict=False)
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)


def _trimmed(row: Sequence[str]) -> Sequence[str]:
    """A row without empty cells at its end."""
    width = max(place for place, cell in enumerate(row, start=1) if cell)
    return row[:width]
