"""Determines the form of a CSV file: its delimiter, and the rows with column names."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

_DELIMITERS = "\t;|,"  # the first of equally good ones is used: commas are also in texts and numbers
_NONE = "\x1f"  # a delimiter that stands in no file: one column
_DIRECTIVE = re.compile(r'\s*"?sep=(.)"?\s*(?:\n|$)')  # Excel's
_SAMPLE = 200  # rows from which the delimiter is determined
_LEAST = 0.5  # least share of rows that have the usual number of columns
_NUMBER = re.compile(r"[-+(]?[€$£]?\s?\d[\d.,' \u00a0\u202f]*\s?[%€$£]?\)?")
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True)
class Row:
    """A row with its number in the file, starting at 1."""

    number: int
    cells: list[str]

    @property
    def filled(self) -> int:
        """The number of cells that are not empty."""
        return sum(map(bool, self.cells))


def delimiter(text: str, quoting: bool) -> tuple[str, str]:
    """Returns the delimiter, and the text without the line `sep=;` that may declare the delimiter.

    If no delimiter fits, returns one that is not in the text, so that each row is one cell. `quoting`: whether cells
    may be quoted. Raises csv.Error if no delimiter fits and quotation marks do not match.
    """
    if named := _DIRECTIVE.match(text):
        return named[1], text[named.end() :]
    shares: dict[str, float] = {}
    error: csv.Error | None = None
    for sign in _DELIMITERS:
        try:
            shares[sign] = _share(text, sign, quoting)
        except csv.Error as wrong:
            error = wrong
    best = max(shares, key=lambda sign: shares[sign], default=None)
    if best is None or (error and shares[best] < _LEAST):
        raise error or csv.Error("no delimiter")
    return (best if shares[best] >= _LEAST else _NONE), text


def _share(text: str, sign: str, quoting: bool) -> float:
    """Returns the share of rows with the most frequent number of columns (at least two), for the delimiter `sign`."""
    widths = Counter(len(row) for row in islice(rows(text, sign, quoting), _SAMPLE) if any(map(str.strip, row)))
    several = [count for width, count in widths.items() if width > 1]
    return max(several, default=0) / max(1, widths.total())


def rows(text: str, sign: str, quoting: bool) -> Iterator[list[str]]:
    """Yields the rows of a text. `sign`: the delimiter. `quoting`: whether cells may be quoted."""
    file = io.StringIO(text, newline="")
    if quoting:
        return csv.reader(file, delimiter=sign, strict=True, quotechar=_quote(text, sign))
    return csv.reader(file, delimiter=sign, quoting=csv.QUOTE_NONE)


def _quote(text: str, sign: str) -> str:
    """Returns the quotation mark: ' if most lines begin with a cell between such marks and no " occurs, else "."""
    if '"' in text:
        return '"'
    lines = text.split("\n", _SAMPLE)[:_SAMPLE]
    begun = sum(line.startswith("'") and f"'{sign}" in line for line in lines)
    return "'" if begun > len(lines) / 2 else '"'


def tables(numbered: Sequence[Row]) -> Iterator[tuple[Row | None, list[Row]]]:
    """Yields (first row, other rows) for each table of a file. `has_names` tells whether the first row has names.

    The first table begins at the top of the file. A new one begins after an empty row if a row of column names and then
    numbers follow. Lines of text above a table are yielded as (None, lines).
    """
    usual = _usual_width(numbered)
    blocks = [_block(rows, usual, place == 0) for place, rows in enumerate(_blocks(numbered))]
    pending: tuple[Row | None, list[Row]] | None = None
    for place, (above, names, body) in enumerate(blocks):
        if above:
            yield None, above
        if pending and names and not _names_figures(names, body):
            pending[1].extend([names, *body])
            continue
        if pending:
            yield pending
        following = blocks[place + 1] if place + 1 < len(blocks) else None
        is_text = (
            following and following[1] and _names_figures(following[1], following[2]) and not _is_table(names, body)
        )
        if is_text and names:
            yield None, [names, *body]
            pending = None
        else:
            pending = names, body
    if pending:
        yield pending


def _blocks(numbered: Sequence[Row]) -> Iterator[list[Row]]:
    """Yields runs of rows that are not separated by an empty row."""
    block: list[Row] = []
    for row in numbered:
        if row.filled:
            block.append(row)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _block(block: list[Row], usual: int, first: bool) -> tuple[list[Row], Row | None, list[Row]]:
    """Splits a block of rows into the text above the table, the first row of the table, and the other rows.

    `usual`: the usual number of filled cells in a row. `first`: whether the block is the first of the file; only the
    first one may have text above.
    """
    start = 0
    while first and usual > 1 and start < len(block) - 1 and block[start].filled == 1:
        start += 1
    return block[:start], block[start], block[start + 1 :]


def _usual_width(numbered: Sequence[Row]) -> int:
    widths = Counter(row.filled for row in numbered[:_SAMPLE] if row.filled)
    return max(widths, key=lambda width: (widths[width], width), default=0)


def _is_table(names: Row | None, body: Sequence[Row]) -> bool:
    return names is not None and bool(body) and all(len(row.cells) == len(names.cells) for row in body)


def is_number(cell: str) -> bool:
    """Whether a cell is a number: digits with signs, separators, a currency or percent."""
    return bool(_NUMBER.fullmatch(cell))


def _names_figures(names: Row, body: Sequence[Row]) -> bool:
    """Whether `names` is a row of words above rows with numbers."""
    if not body or not all(names.cells) or any(map(is_number, names.cells)):
        return False
    return any(is_number(cell) for row in body[:_SAMPLE] for cell in row.cells)


def has_names(names: Row, body: Sequence[Row]) -> bool:
    """Whether `names`, the first row of a table, has column names.

    A row with a number above a column of numbers has none, unless the number may be a year.
    """
    figures = [place for place, cell in enumerate(names.cells) if is_number(cell) and not _YEAR.fullmatch(cell)]
    below = ([row.cells[place] for row in body[:_SAMPLE] if place < len(row.cells)] for place in figures)
    return not any(column and all(is_number(cell) or not cell for cell in column) for column in below)
