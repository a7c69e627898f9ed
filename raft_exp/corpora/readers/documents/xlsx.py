"""Reads Excel files (.xlsx, .xlsm, .xltx; python-calamine) sheet by sheet: rows with their column names."""

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from raft_exp.corpora.readers.documents import csv
from raft_exp.corpora.readers.documents.csv_dialect import Row
from raft_exp.corpora.readers.documents.document import Document, Part
from raft_exp.corpora.readers.documents.ooxml import Package

_SHEETS = re.compile(r"xl/worksheets/[^/]+\.xml")
_COMMENTS = re.compile(r"xl/(?:comments\d*|threadedComments/[^/]+)\.xml")
_CHARTS = re.compile(r"xl/charts/chart[^/]*\.xml")
_MARGINS = re.compile(rb"<(?:\w+:)?(?:odd|even|first)(Header|Footer)>[^<]*?[A-Za-z]{4}")  # codes are one letter: &P
_DRAWINGS = re.compile(r"xl/drawings/[^/]+\.xml")
_NOT_CALCULATED = re.compile(rb"</?f(?:\s[^>]*)?/?>(?:<v\s*/>|<v></v>)?</c>")  # a formula, and no value after it
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


def read(data: bytes) -> Document:
    """Returns one part per row of values, with sheet and row number as place ("row Prices!3").

    A merged cell is repeated in each of its rows and columns; a title over all columns occurs once.
    """
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    warnings: list[str] = []
    parts: list[Part] = []
    for name in book.sheet_names:
        sheet = book.get_sheet_by_name(name)
        values = sheet.to_python(skip_empty_area=False)
        rows = [[_text(value) for value in row] for row in values]
        _fill(rows, sheet.merged_cell_ranges or [])
        found: list[str] = []
        numbered = [Row(number, row) for number, row in enumerate(rows, start=1)]
        parts += [replace(part, flow=name) for part in csv.parts(numbered, found, f"{name}!")]
        warnings += [f"sheet {name}: {warning}" for warning in found]
    package = Package(data)
    return Document(package.title(), parts, warnings + package.warnings(_unread(package)))


def _text(value: object) -> str:
    """Returns a value as a spreadsheet shows it: 40.0 as 40, dates as 2024-01-31."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    if isinstance(value, date | time | timedelta):
        return str(value)
    return " ".join(str(value).split())


def _fill(rows: list[list[str]], merged: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    for (top, left), (bottom, right) in merged:
        if (top, right) == (bottom, left) or top >= len(rows) or left >= len(rows[top]):
            continue
        if bottom == top and right - left + 1 >= len(rows[top]):
            continue  # a title over all columns stands once
        for row in rows[top : bottom + 1]:
            for place in range(left, min(right + 1, len(row))):
                row[place] = rows[top][left]


def _unread(package: Package) -> Counter[str]:
    counts: Counter[str] = Counter()
    for name in package.names:
        if _SHEETS.fullmatch(name):
            counts["formula without a value"] += len(_NOT_CALCULATED.findall(package.data(name)))
            counts.update(f"page {kind.decode().lower()}" for kind in _MARGINS.findall(package.data(name)))
        elif _CHARTS.fullmatch(name):
            counts["chart title"] += any((item.text or "").strip() for item in package.root(name).iter(f"{_A}t"))
        elif _COMMENTS.fullmatch(name):
            counts["comment"] += sum(
                item.tag.rpartition("}")[2].lower().endswith("comment") for item in package.root(name).iter()
            )
        elif _DRAWINGS.fullmatch(name):
            counts["text box"] += sum(bool((item.text or "").strip()) for item in package.root(name).iter(f"{_A}t"))
    return counts
