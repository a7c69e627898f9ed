"""Reads CSV and TSV. The first row has the column names; each other row becomes "name: value; name: value".

If the first row seems to have values, all rows become "value; value".
"""

import csv
import sys
from collections.abc import Iterator, Sequence

from raft_exp.corpora.readers.documents import csv_dialect
from raft_exp.corpora.readers.documents.csv_dialect import Row
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Part


def read(data: bytes) -> Document:
    """Returns one part per row of values, numbered as in a spreadsheet: the first row of the file is row 1."""
    text, warnings = decode(data)
    before = csv.field_size_limit(sys.maxsize)  # a setting of the whole process
    try:
        numbered = _rows(text, warnings)
    finally:
        csv.field_size_limit(before)
    return Document("", parts(numbered, warnings), warnings)


def parts(numbered: Sequence[Row], warnings: list[str], sheet: str = "") -> list[Part]:
    """Returns one part per row of values, with the column names. `sheet` stands before the number of the row.

    Adds a warning to `warnings` for each table whose first row is read as values.
    """
    found: list[Part] = []
    for names, body in csv_dialect.tables(numbered):
        if names is None or csv_dialect.has_names(names, body):
            texts = _texts(names, body)
        else:
            warnings.append(f"row {names.number} contains numbers: it is read as values, not as column names")
            texts = _texts(None, [names, *body])
        found += [Part(text, "row", f"{sheet}{row.number}") for row, text in texts]
    return found


def _rows(text: str, warnings: list[str]) -> list[Row]:
    try:
        sign, rest = csv_dialect.delimiter(text, quoting=True)
        rows = list(csv_dialect.rows(rest, sign, quoting=True))
    except csv.Error as error:
        warnings.append(f"quotation marks that do not match ({error}); all are read as ordinary characters")
        sign, rest = csv_dialect.delimiter(text, quoting=False)
        rows = list(csv_dialect.rows(rest, sign, quoting=False))
    first = 1 if rest is text else 2
    return [Row(number, [cell.strip() for cell in row]) for number, row in enumerate(rows, start=first)]


def _texts(names: Row | None, body: Sequence[Row]) -> Iterator[tuple[Row, str]]:
    if names is None:
        yield from ((row, "; ".join(filter(None, row.cells))) for row in body)
        return
    columns = list(names.cells)
    for row in body:
        columns += [f"column {place}" for place in range(len(columns) + 1, len(row.cells) + 1)]
        cells = zip(columns, row.cells, strict=False)
        yield row, "; ".join(f"{name}: {cell}" if name else cell for name, cell in cells if cell)
