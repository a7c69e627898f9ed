"""Parquet with the columns of a format, written batch by batch."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

_BATCH = 1000


def write(path: Path, rows: Iterable[dict[str, Any]], columns: dict[str, Any]) -> int:
    """Writes the rows; returns how many. Lone surrogates, which parquet cannot hold, become U+FFFD."""
    import pyarrow
    from pyarrow import parquet

    schema, count = pyarrow.schema([(name, _type(kind)) for name, kind in columns.items()]), 0
    stream = iter(rows)
    with parquet.ParquetWriter(path, schema) as file:
        while batch := list(islice(stream, _BATCH)):
            file.write_table(pyarrow.Table.from_pylist(list(_encodable(batch)), schema=schema))
            count += len(batch)
    return count


def _type(kind: Any) -> Any:
    import pyarrow

    if isinstance(kind, list):
        return pyarrow.list_(_type(kind[0]))
    if isinstance(kind, dict):
        return pyarrow.struct([(name, _type(inner)) for name, inner in kind.items()])
    return {"string": pyarrow.string(), "bool": pyarrow.bool_()}[kind]


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {name: _encodable(inner) for name, inner in value.items()}
    return [_encodable(inner) for inner in value] if isinstance(value, list) else value
