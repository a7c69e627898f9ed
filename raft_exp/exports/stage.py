"""Stage `export`: writes the datasets and passages of a study in the formats of other tools (`raft_exp.exports`)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Literal

from raft_exp.core.audit import DatasetAudit
from raft_exp.core.collection import Passages
from raft_exp.core.records import Example, read_jsonl
from raft_exp.core.schema import config_dataclass
from raft_exp.core.stage import stage
from raft_exp.exports import FORMATS, PASSAGE_COLUMNS, Format, FormatName, Kind
from raft_exp.exports.card import Card, card
from raft_exp.exports.columns import Row
from raft_exp.exports.origins import RowOrigins
from raft_exp.exports.tables import HF, Table, write

VERSION = 1


@config_dataclass
class ExportStage:
    """Settings that change the exported files."""

    formats: list[FormatName]
    passages: bool
    format: Literal["jsonl", "parquet", "hf"]
    kinds: dict[str, Kind]  # dataset name -> kind
    card: Card | None  # for format "hf"


def tables_of(kinds: dict[str, Kind], formats: list[FormatName]) -> list[tuple[str, FormatName]]:
    """Returns (dataset name, format) for each dataset and each format that can hold it.

    A test set has no targets, and a ready chat file has no contexts: some formats cannot hold them.
    """
    return [(name, chosen) for chosen in formats for name, kind in kinds.items() if kind in FORMATS[chosen].kinds]


@stage("export", VERSION)
def export(
    config: ExportStage,
    *,
    passages: Path,
    out: Path,
    datasets: dict[str, Path] | None = None,
    tests: dict[str, Path] | None = None,
    questions: Path | None = None,
) -> None:
    """Writes the folder exports/ with one table for each dataset and format, and counts.json.

    `datasets` and `tests`: folders of training and test sets by name. `questions`: folder of stage `questions`; without
    it only the passages are written.
    """
    folders = {**(datasets or {}), **(tests or {})}
    audits = {name: _audit(folder) for name, folder in folders.items()}
    tables = [
        _table(name, chosen, folders[name], list(audits[name]["splits"]), partial(RowOrigins, questions, passages))
        for name, chosen in tables_of(config.kinds, config.formats)
        if questions
    ]
    if config.passages:
        tables.append(Table("passages", PASSAGE_COLUMNS, "train", {"train": partial(_passages, passages)}))
    counts = {table.name: write(out / "exports", table, config.format) for table in tables}
    if config.card:
        page = card(config.card, tables, counts, audits)
        (out / "exports" / HF / "README.md").write_text(page, encoding="utf-8", newline="\n")
    rows = {name: sum(splits.values()) for name, splits in counts.items()}
    (out / "counts.json").write_text(json.dumps(rows), encoding="utf-8")


def _audit(folder: Path) -> DatasetAudit:
    audit: DatasetAudit = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    return audit


def _table(
    name: str, chosen: FormatName, folder: Path, splits: list[str], open_origins: Callable[[], RowOrigins]
) -> Table:
    chosen_format = FORMATS[chosen]
    main = "train" if "train" in splits else splits[0]
    rows = {split: partial(_rows, folder, split, chosen_format, open_origins) for split in splits}
    return Table(f"{name}.{chosen}", chosen_format.columns, main, rows)


def _rows(folder: Path, split: str, row_format: Format, open_origins: Callable[[], RowOrigins]) -> Iterator[Row]:
    origins = open_origins()
    for example in read_jsonl(folder / "rows.jsonl", Example):
        if example.split == split:
            yield row_format.row(example, origins)


def _passages(folder: Path) -> Iterator[Row]:
    return map(asdict, Passages(folder))
