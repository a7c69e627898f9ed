"""Exported tables with their splits, and the names of their files."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.records import write_jsonl
from raft_exp.exports import parquet
from raft_exp.exports.columns import Columns, Row

HF = "hf"  # the folder of a `datasets` repository


@dataclass(frozen=True)
class Table:
    """A table, such as `raft.chat`, `test.eval` or `passages`, with the rows of each split."""

    name: str
    columns: Columns
    main: str  # the split whose file has the table's name alone
    splits: Mapping[str, Callable[[], Iterator[Row]]]


def write(folder: Path, table: Table, form: str) -> dict[str, int]:
    """Writes the splits of a table in a file format (jsonl, parquet, hf); returns the number of rows of each."""
    counts = {}
    for split, rows in table.splits.items():
        path = folder / file_name(table, split, form)
        path.parent.mkdir(parents=True, exist_ok=True)
        counts[split] = write_jsonl(path, rows()) if form == "jsonl" else parquet.write(path, rows(), table.columns)
    return counts


def file_name(table: Table, split: str, form: str) -> str:
    """The file of a split. Only the main split has the plain name, so that no trainer reads validation rows."""
    if form == HF:
        return f"{HF}/{table.name}/{split}.parquet"
    return f"{table.name}.{form}" if split == table.main else f"{table.name}.{split}.{form}"
