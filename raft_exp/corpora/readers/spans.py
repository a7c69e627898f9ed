"""Byte ranges of a file, by which several processes read the lines or table rows of the file, each row once."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count, islice, tee
from pathlib import Path
from typing import Any, BinaryIO, cast

from raft_exp.core.shards import Shard

_BUFFER = 1 << 20  # bytes
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Span:
    """The bytes of a file from `start` up to, not including, `stop`."""

    start: int
    stop: int


def span_of_lines(path: Path, shard: Shard) -> Span:
    """Returns the bytes of a shard's lines. The spans of all shards, in order, are the whole file."""
    cuts = _cuts(path, shard)
    return Span(_line_start(path, cuts.start), _line_start(path, cuts.stop))


def span_of_rows(path: Path, shard: Shard, columns: int) -> Span:
    """Returns the bytes of a shard's rows of a tab-separated file. Quoted fields may have line breaks.

    The spans of all shards, in order, are the whole file. `columns`: the number of columns that each row must have.
    """
    cuts = _cuts(path, shard)
    return Span(_row_start(path, cuts.start, columns), _row_start(path, cuts.stop, columns))


@contextmanager
def open_span(path: Path, span: Span) -> Iterator[BinaryIO]:
    """Opens a part of a file for reading. A byte order mark at the start of the file is skipped."""
    with path.open("rb") as file:
        marked = span.start == 0 and file.read(len(_BYTE_ORDER_MARK)) == _BYTE_ORDER_MARK
        file.seek(len(_BYTE_ORDER_MARK) if marked else span.start)
        yield cast(BinaryIO, io.BufferedReader(_Limited(file, span.stop), _BUFFER))


class _Limited(io.RawIOBase):
    """The bytes of a file from its position up to, not including, `stop`."""

    def __init__(self, file: BinaryIO, stop: int) -> None:
        self._file, self._left = file, stop - file.tell()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self._file.read(max(0, min(self._left, len(memoryview(buffer)))))
        memoryview(buffer)[: len(data)] = data
        self._left -= len(data)
        return len(data)


def _cuts(path: Path, shard: Shard) -> range:
    return shard.rows(path.stat().st_size)


def _line_start(path: Path, place: int) -> int:
    """Returns the first byte at or after `place` with which a line begins; the size of the file if there is none."""
    if place == 0:
        return 0
    with path.open("rb") as file:
        file.seek(place - 1)
        file.readline()
        return file.tell()


def _row_start(path: Path, place: int, columns: int) -> int:
    """Returns the offset at or after `place` of a byte that begins a row; the size of the file if there is none.

    A line may begin within a quoted field. Therefore two readers start at the next line: one reads it as the start of a
    row, the other as the rest of a quoted field. After the first line at which both readers end a row, a row begins in
    either case. If a reader finds an error (a row with a wrong number of columns, a quoted field that is too long), its
    assumption was wrong, or the file has this error. Then the other reader decides, and the error is before the offset
    that is returned.
    """
    start, size = _line_start(path, place), path.stat().st_size
    if start in (0, size):
        return start
    with _lines(path, Span(start, size)) as lines:
        outside, inside = tee(lines)
        ends = _row_ends(outside, columns), _row_ends(chain([f'"{next(inside)}'], inside), columns, partial=True)
        number = _first_common(*ends)
    with _lines(path, Span(start, size)) as lines:
        return start + sum(len(line.encode(errors="surrogateescape")) for line in islice(lines, number))


@contextmanager
def _lines(path: Path, span: Span) -> Iterator[Iterator[str]]:
    with open_span(path, span) as file:
        yield io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")


def _row_ends(lines: Iterator[str], columns: int, partial: bool = False) -> Iterator[int]:
    """Yields the number of the last line of each row. After an error, yields the number of each line from there on.

    `partial`: whether the beginning of the first row is missing, so that it may have fewer columns.
    """
    rows = csv.reader(lines, delimiter="\t")
    try:
        for number, row in enumerate(rows):
            if row and len(row) != columns and not (partial and number == 0):
                break
            yield rows.line_num
        else:
            return
    except csv.Error:
        pass
    yield from count(rows.line_num)


def _first_common(one: Iterator[int], other: Iterator[int]) -> int:
    """Returns the first number that both iterators yield; their numbers increase."""
    first, second = next(one), next(other)
    while first != second:
        if first < second:
            first = next(one)
        else:
            second = next(other)
    return first
