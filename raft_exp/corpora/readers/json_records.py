"""Streams the records of JSON and parquet datasets of any size: an object of records, an array, JSON lines, parquet.

JSON may be gzipped. Layout and compression are detected from the content, not from the file name. A broken file raises
DataError with the file and, for JSON, the place in it.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, cast

import ijson

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers.spans import Span, open_span

Layout = Literal["object", "array", "lines", "parquet"]
Row = dict[str, object]

_GZIP = b"\x1f\x8b"  # the first bytes of a gzipped file
_BROKEN = (ijson.JSONError, EOFError, gzip.BadGzipFile, zlib.error, ValueError)


def layout(path: Path) -> Layout:
    """Returns the layout of a file. Raises DataError for an empty file and for another format.

    - `object`: {id: record, ...}.
    - `array`: [record, ...].
    - `lines`, `parquet`: one record per line or row.
    """
    with open_bytes(path) as file:
        start = _start(file, path)
        if start.startswith(b"PAR1"):
            return "parquet"
        if start.startswith(b"["):
            return "array"
        if start.startswith(b"{"):
            return "object" if _holds_records(file) else "lines"
    raise DataError(f"{path}: neither JSON nor parquet (it begins with {start[:20]!r}); give a file of these formats")


def is_gzipped(path: Path) -> bool:
    """Whether a file is gzipped."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def rows(path: Path) -> Iterator[Row]:
    """Yields the records of a file: an array, JSON lines or parquet.

    Raises DataError for an object of records, which `keyed` reads.
    """
    return (row for _, row in placed(path))


def placed(path: Path, batch: int = 1000, span: Span | None = None) -> Iterator[tuple[str, Row]]:
    """Yields (place, record) for each record of a file that `rows` can read. The place is "line 3" or "record 3".

    `batch`: how many parquet rows are held in memory at a time. `span`: only these lines of JSON lines that are not
    gzipped; line numbers count from the start of the span.
    """
    if span is not None:
        return _lines(path, span)
    kind = layout(path)
    if kind == "object":
        raise DataError(f"{path}: contains one object of records; give an array, or one record per line")
    if kind == "parquet":
        return _parquet(path, batch)
    return _array(path) if kind == "array" else _lines(path)


def has_list(path: Path, name: str) -> bool:
    """Whether a file is one object with a list under the key `name`, which `listed` reads."""
    with open_bytes(path) as file:
        depth, key = 0, None
        try:
            for event, value in ijson.basic_parse(file, multiple_values=True, buf_size=64):
                if depth == 1 and event == "start_array" and key == name:
                    return True
                key = value if event == "map_key" and depth == 1 else None
                depth += {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}.get(event, 0)
                if depth <= 0 or (depth == 1 and event == "start_array"):
                    return False  # the first value has ended, or is a list itself
        except _BROKEN:
            pass  # the function that reads the records raises an error for it, with the place
    return False


def listed(path: Path, name: str) -> Iterator[tuple[str, Row]]:
    """Yields (place, record) for the records of the list under the key `name` of one object."""
    return _array(path, f"{name}.item")


def keyed(path: Path) -> Iterator[tuple[str, Row]]:
    """Yields the (key, record) pairs of an object of records, in file order. A repeated key is yielded each time."""
    number, last = 0, "the start"
    with open_bytes(path) as file:
        try:
            for key, value in ijson.kvitems(file, "", use_float=True):
                number, last = number + 1, f"{key!r}"
                yield key, _record(path, last, value)
        except _BROKEN as error:
            raise _cut(path, f"after {last} (record {number}, about byte {file.tell()})", error) from error


def _array(path: Path, prefix: str = "item") -> Iterator[tuple[str, Row]]:
    number = 0
    with open_bytes(path) as file:
        try:
            for value in ijson.items(file, prefix, use_float=True):
                number += 1
                yield f"record {number}", _record(path, f"record {number}", value)
        except _BROKEN as error:
            raise _cut(path, f"after record {number} (about byte {file.tell()})", error) from error


def _lines(path: Path, span: Span | None = None) -> Iterator[tuple[str, Row]]:
    number = 0
    with open_bytes(path) if span is None else open_span(path, span) as file:
        try:
            for line in file:
                number += 1
                if line.strip():
                    yield f"line {number}", _record(path, f"line {number}", json.loads(line))
        except ValueError as error:
            raise DataError(
                f"{path}, line {number}: broken, cut off or not one JSON record ({_first_line(error)}); "
                "fetch the file again or remove the line"
            ) from error
        except _BROKEN as error:
            raise _cut(path, f"after line {number}", error) from error


def _parquet(path: Path, batch_size: int) -> Iterator[tuple[str, Row]]:
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=batch_size):
                for row in batch.to_pylist():
                    number += 1
                    yield f"record {number}", row
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: this parquet file cannot be read ({_first_line(error)}); fetch the file again, or unpack it if "
            "it is gzipped"
        ) from error


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for reading. A gzipped file is decompressed; a byte order mark is skipped.

    Raises DataError if the file cannot be opened or its gzip header is broken.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    with raw:
        zipped = raw.peek(2)[:2] == _GZIP
        file = gzip.GzipFile(fileobj=raw) if zipped else raw
        try:
            if file.peek(3)[:3] == b"\xef\xbb\xbf":
                file.read(3)
        except _BROKEN as error:
            raise _cut(path, "at the start", error) from error
        yield cast(BinaryIO, file)


def _start(file: BinaryIO, path: Path) -> bytes:
    """Skips white space and returns the next bytes without consuming them. Raises DataError if there are none."""
    peek = cast(io.BufferedReader, file).peek
    while ahead := peek(1):
        rest = ahead.lstrip()
        file.read(len(ahead) - len(rest))
        if rest:
            return rest
    raise DataError(f"{path}: empty; write records into the file, or fetch it again")


def _holds_records(file: BinaryIO) -> bool:
    """Whether the object at the start is {id: record, ...}, i.e. whether its first values are objects."""
    depth = objects = 0
    try:
        for event, _ in ijson.basic_parse(file, multiple_values=True, buf_size=64):
            if depth == 1 and event != "map_key":
                if event != "start_map":
                    return event == "end_map" and objects > 0
                objects += 1
            if objects == 3:
                return True
            depth += {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}.get(event, 0)
    except _BROKEN:
        pass  # the function that reads the records raises an error for it, with the place
    return objects > 0


def _record(path: Path, where: str, value: object) -> Row:
    if not isinstance(value, dict):
        raise DataError(
            f"{path}, {where}: got a value of type {type(value).__name__}, but a record must be a JSON object; "
            "correct the file"
        )
    return value


def _cut(path: Path, where: str, error: BaseException) -> DataError:
    return DataError(f"{path}: broken or cut off {where}: {_first_line(error)}; correct the file or fetch it again")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
