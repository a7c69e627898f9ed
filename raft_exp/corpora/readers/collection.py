"""Reads a collection of passages to search, of any size.

The file is a tab-separated table, possibly gzipped, or a file of JSON or parquet that `passage_rows.py` reads. A header
line with id and text names the columns of a table. Without it, they are id, text, title, as in DPR's Wikipedia
(psgs_w100.tsv).
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from raft_exp.core.collection_parts import BLOCK
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage
from raft_exp.core.shards import Shard
from raft_exp.corpora.readers import json_records, passage_rows
from raft_exp.corpora.readers.json_records import open_bytes
from raft_exp.corpora.readers.passage_rows import Holds, Split
from raft_exp.corpora.readers.spans import Span, open_span, span_of_lines, span_of_rows
from raft_exp.corpora.sentences import split_sentences

_COLUMNS = ["id", "text", "title"]  # of a file without a header line


def read(path: Path, split: Split = split_sentences) -> Iterator[Passage]:
    """Yields the passages in file order.

    A passage without `document_id` belongs to the document of its title; without a title it is a document of its own.
    `split`: a function that splits a text into sentences. Raises DataError with file, line and remedy.
    """
    yield from _named(_tabbed(path, split) if _is_tabbed(path) else passage_rows.read(path, split))


def is_cut(path: Path) -> bool:
    """Whether each shard reads only a byte range of the file: True for a table or JSON lines, if not gzipped."""
    return not json_records.is_gzipped(path) and (_is_tabbed(path) or json_records.layout(path) == "lines")


def read_shard(path: Path, shard: Shard) -> Iterator[Passage]:
    """Yields the passages of a shard.

    If `is_cut` is True, each shard has a run of consecutive passages. Otherwise, shard i of N has the blocks i, i + N,
    i + 2N, ... of BLOCK passages each. Raises the same DataError as `read`.
    """
    try:
        yield from _named(_shard(path, shard))
    except (DataError, csv.Error, ValueError, EOFError, OSError):
        for _ in read(path, lambda text: [text]):
            pass  # `read` raises the same error with its line in the whole file
        raise


def _shard(path: Path, shard: Shard) -> Iterator[Passage]:
    if not is_cut(path):

        def holds(number: int) -> bool:
            return shard.holds(number // BLOCK)

        return _tabbed(path, holds=holds) if _is_tabbed(path) else passage_rows.read(path, holds=holds)
    if _is_tabbed(path):
        columns = _columns_of(path)
        return _tabbed(path, span=span_of_rows(path, shard, len(columns)), columns=columns)
    return passage_rows.read(path, span=span_of_lines(path, shard))


def _named(passages: Iterable[Passage]) -> Iterator[Passage]:
    for passage in passages:
        unnamed = passage.document_id == passage.id
        yield replace(passage, document_id=passage.title) if unnamed and passage.title else passage


def _is_tabbed(path: Path) -> bool:
    with open_bytes(path) as file:
        start = file.readline().lstrip()
    return b"\t" in start and not start.startswith((b"{", b"["))


def _tabbed(
    path: Path,
    split: Split = split_sentences,
    holds: Holds = lambda number: True,
    span: Span | None = None,
    columns: Sequence[str] = (),
) -> Iterator[Passage]:
    """Yields the passages. `columns`: the column names, needed for a `span` without the first row of the file."""
    with open_bytes(path) if span is None else open_span(path, span) as file:
        lines = csv.reader(_text(file), delimiter="\t")
        number = 0
        try:
            for row in lines:
                columns = columns or _columns(row)
                if row != columns and row:
                    if holds(number):
                        yield _passage(path, f"line {lines.line_num}", columns, row, split)
                    number += 1
        except (csv.Error, ValueError, EOFError, OSError) as error:
            raise DataError(
                f"{path}, after line {lines.line_num}: {error}; correct the file (if a text begins with a "
                "quotation mark, quote the whole text and double each quotation mark inside)"
            ) from error


def _text(file: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8", newline="")


def _columns(row: list[str]) -> list[str]:
    """Returns the column names of a table from its first row: the row if it is a header, else those of _COLUMNS."""
    return row if {"id", "text"} <= set(row) else _COLUMNS[: len(row)]


def _columns_of(path: Path) -> list[str]:
    with open_bytes(path) as file:
        return next((_columns(row) for row in csv.reader(_text(file), delimiter="\t") if row), [])


def _passage(path: Path, place: str, columns: Sequence[str], row: list[str], split: Split) -> Passage:
    fields = dict(zip(columns, row, strict=False))
    name, text = fields.get("id", ""), fields.get("text", "")
    if len(row) != len(columns) or not name.strip() or not text.strip():
        raise DataError(
            f"{path}, {place}: {row!r:.60} must have the columns {', '.join(columns)}, with an id and a text; "
            "correct or remove the line"
        )
    return Passage(name, name, fields.get("title", ""), text, "", split(text), path.name)
