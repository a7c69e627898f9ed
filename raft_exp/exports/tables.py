"""What is exported: tables with their splits, and where each one's files stand."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raft_exp.core.records import write_jsonl
from raft_exp.exports import parquet

HF = "hf"  # the folder of a `datasets` repository
Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class Table:
    """`raft.chat`, `test.eval`, `passages`: rows by split, of which `main` gives the file its plain name."""

    name: str
    columns: dict[str, Any]
    main: str
    splits: Mapping[str, Callable[[], Rows]]


def write(folder: Path, table: Table, form: str) -> dict[str, int]:
    """Writes a table's splits as `form` (jsonl, parquet, hf) asks; returns the rows of each."""
    counts = {}
    for split, rows in table.splits.items():
        path = folder / file_name(table, split, form)
        path.parent.mkdir(parents=True, exist_ok=True)
        counts[split] = write_jsonl(path, rows()) if form == "jsonl" else parquet.write(path, rows(), table.columns)
    return counts


def file_name(table: Table, split: str, form: str) -> str:
    """Only the main split stands under the plain name: no trainer takes validation rows for training rows."""
    if form == HF:
        return f"{HF}/{table.name}/{split}.parquet"
    return f"{table.name}.{form}" if split == table.main else f"{table.name}.{split}.{form}"
