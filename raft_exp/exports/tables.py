"""Writes exported tables, and names their files."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.records import write_jsonl
from raft_exp.exports import parquet
from raft_exp.exports.columns import Columns, Row

HF = "hf"  # the folder of a `datasets` repository


@dataclass(frozen=True)
class Table:
    """An exported table, e.g. `raft.chat`, `test.eval` or `passages`."""

    name: str
    columns: Columns
    main: str  # the split whose file name is the table's name, without the split's name
    splits: Mapping[str, Callable[[], Iterator[Row]]]  # split -> function that reads its rows


def write(folder: Path, table: Table, form: str) -> dict[str, int]:
    """Writes the splits of a table to `folder`. `form`: jsonl, parquet or hf. Returns the number of rows by split."""
    counts = {}
    for split, rows in table.splits.items():
        path = folder / file_name(table, split, form)
        path.parent.mkdir(parents=True, exist_ok=True)
        counts[split] = write_jsonl(path, rows()) if form == "jsonl" else parquet.write(path, rows(), table.columns)
    return counts


def file_name(table: Table, split: str, form: str) -> str:
    """Returns the file name of a split. `form`: jsonl, parquet or hf.

    In jsonl and parquet, the main split has a name such as raft.chat.jsonl, and the validation split a name such as
    raft.chat.validation.jsonl. So a trainer that reads raft.chat.jsonl gets no validation rows by mistake.
    """
    if form == HF:
        return f"{HF}/{table.name}/{split}.parquet"
    return f"{table.name}.{form}" if split == table.main else f"{table.name}.{split}.{form}"
