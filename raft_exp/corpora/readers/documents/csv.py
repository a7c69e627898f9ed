"""Reads CSV and TSV: the first row names the columns, each other row becomes "name: value; name: value"."""

import csv
import io
import sys
from collections.abc import Iterator

from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Part

_DELIMITERS = ",;\t|"


def read(data: bytes) -> Document:
    """One part a row, numbered as in a spreadsheet: the column names are row 1."""
    text, warnings = decode(data)
    before = csv.field_size_limit(sys.maxsize)  # a setting of the whole process
    try:
        rows = _rows(text, warnings)
    finally:
        csv.field_size_limit(before)
    return Document("", list(_parts(rows)), warnings)


def _rows(text: str, warnings: list[str]) -> list[list[str]]:
    delimiter = max(_DELIMITERS, key=text.lstrip("\n").partition("\n")[0].count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        warnings.append(f"quotation marks that do not match ({error}); all are taken as they stand")
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=csv.QUOTE_NONE))


def _parts(rows: list[list[str]]) -> Iterator[Part]:
    names: list[str] = []
    for number, row in enumerate(rows, start=1):
        if not any(cell.strip() for cell in row):
            continue
        if not names:
            names = [name.strip() for name in row]
            continue
        names += [f"column {place}" for place in range(len(names) + 1, len(row) + 1)]
        cells = zip(names, (cell.strip() for cell in row), strict=False)
        yield Part("; ".join(f"{name}: {cell}" if name else cell for name, cell in cells if cell), "row", str(number))
