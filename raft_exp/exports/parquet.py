"""Writes Parquet files with the columns of a format, in batches."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.exports.columns import Columns, ColumnType, Row

if TYPE_CHECKING:
    import pyarrow

_BATCH = 1000


def write(path: Path, rows: Iterable[Row], columns: Columns) -> int:
    """Writes the rows to a file and returns their number. Lone surrogates, which Parquet forbids, become U+FFFD."""
    import pyarrow
    from pyarrow import parquet

    schema, count = pyarrow.schema([(name, _arrow_type(column)) for name, column in columns.items()]), 0
    stream = iter(rows)
    with parquet.ParquetWriter(path, schema) as file:
        while batch := list(islice(stream, _BATCH)):
            file.write_table(pyarrow.Table.from_pylist([_encodable(row) for row in batch], schema=schema))
            count += len(batch)
    return count


def _arrow_type(column: ColumnType) -> "pyarrow.DataType":
    import pyarrow

    if isinstance(column, list):
        return pyarrow.list_(_arrow_type(column[0]))
    if isinstance(column, dict):
        return pyarrow.struct([(name, _arrow_type(inner)) for name, inner in column.items()])
    return {"string": pyarrow.string(), "int": pyarrow.int64(), "bool": pyarrow.bool_()}[column]


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {name: _encodable(inner) for name, inner in value.items()}
    return [_encodable(inner) for inner in value] if isinstance(value, list) else value
