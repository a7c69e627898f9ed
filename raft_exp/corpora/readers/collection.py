"""Reads a collection of passages to search, of any size.

The file is tab-separated with the columns id, text, title, as DPR's Wikipedia (psgs_w100.tsv), or JSON lines of the
same fields (`passage_rows.py`); gzipped or not.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage
from raft_exp.corpora.readers import passage_rows
from raft_exp.corpora.readers.json_records import open_bytes
from raft_exp.corpora.sentences import split_sentences

_COLUMNS = ["id", "text", "title"]  # of a file without a header line


def read(path: Path) -> Iterator[Passage]:
    """Yields the passages in file order; passages with the same title form a document.

    Raises DataError with file, line and remedy.
    """
    for passage in _tabbed(path) if _is_tabbed(path) else passage_rows.read(path):
        unnamed = passage.document_id == passage.id
        yield replace(passage, document_id=passage.title) if unnamed and passage.title else passage


def _is_tabbed(path: Path) -> bool:
    with open_bytes(path) as file:
        start = file.readline().lstrip()
    return b"\t" in start and not start.startswith((b"{", b"["))


def _tabbed(path: Path) -> Iterator[Passage]:
    with open_bytes(path) as file:
        lines = csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""), delimiter="\t")
        columns: list[str] = []
        try:
            for row in lines:
                if not columns:
                    columns = row if {"id", "text"} <= set(row) else _COLUMNS[: len(row)]
                if row != columns and row:
                    yield _passage(path, f"line {lines.line_num}", columns, row)
        except (csv.Error, ValueError, EOFError, OSError) as error:
            raise DataError(
                f"{path}, after line {lines.line_num}: {error}; correct the file (if a text begins with a "
                "quotation mark, quote the whole text and double each quotation mark inside)"
            ) from error


def _passage(path: Path, place: str, columns: list[str], row: list[str]) -> Passage:
    fields = dict(zip(columns, row, strict=False))
    name, text = fields.get("id", ""), fields.get("text", "")
    if len(row) != len(columns) or not name.strip() or not text.strip():
        raise DataError(
            f"{path}, {place}: {row!r:.60} must have the columns {', '.join(columns)}, with an id and a text; "
            "correct or remove the line"
        )
    return Passage(name, name, fields.get("title", ""), text, "", split_sentences(text), path.name)
