"""Stage `export`: the study's datasets and passages in the formats of other tools (`raft_exp.exports`)."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

from raft_exp.core.collection import Passages
from raft_exp.core.records import Example, read_jsonl
from raft_exp.core.schema import config_dataclass
from raft_exp.core.stage import stage
from raft_exp.exports import FORMATS, PASSAGE_COLUMNS, Format, FormatName, Kind
from raft_exp.exports.card import Card, card
from raft_exp.exports.origins import RowOrigins
from raft_exp.exports.tables import HF, Table, write

VERSION = 1


@config_dataclass
class ExportStage:
    """Settings that change what is exported."""

    formats: list[FormatName]
    passages: bool
    format: Literal["jsonl", "parquet", "hf"]
    kinds: dict[str, Kind]  # of each dataset, by name
    card: Card | None  # for a `datasets` folder


def tables_of(kinds: dict[str, Kind], formats: list[FormatName]) -> list[tuple[str, FormatName]]:
    """(dataset, format) of every table that can be written: a test has no reply to learn, a chat file no context."""
    return [(name, wanted) for wanted in formats for name, kind in kinds.items() if kind in FORMATS[wanted].kinds]


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
    """Writes exports/ and counts.json. Without datasets it is the passages alone."""
    folders = {**(datasets or {}), **(tests or {})}
    audits = {name: json.loads((folder / "audit.json").read_text(encoding="utf-8")) for name, folder in folders.items()}
    tables = [
        _table(name, wanted, folders[name], list(audits[name]["splits"]), partial(RowOrigins, questions, passages))
        for name, wanted in tables_of(config.kinds, config.formats)
        if questions
    ]
    if config.passages:
        tables.append(Table("passages", PASSAGE_COLUMNS, "train", {"train": partial(_passages, passages)}))
    counts = {table.name: write(out / "exports", table, config.format) for table in tables}
    if config.card:
        page = card(config.card, tables, counts, audits)
        (out / "exports" / HF / "README.md").write_text(page, encoding="utf-8", newline="\n")
    rows = {name: sum(splits.values()) for name, splits in counts.items()}
    (out / "counts.json").write_text(json.dumps(rows))


def _table(name: str, wanted: FormatName, folder: Path, splits: list[str], origins: Any) -> Table:
    found = FORMATS[wanted]
    main = "train" if "train" in splits else splits[0]
    rows = {split: partial(_rows, folder, split, found, origins) for split in splits}
    return Table(f"{name}.{wanted}", found.columns, main, rows)


def _rows(folder: Path, split: str, found: Format, origins: Any) -> Iterator[dict[str, Any]]:
    read_along = origins()
    for example in read_jsonl(folder / "rows.jsonl", Example):
        if example.split == split:
            yield found.row(example, read_along)


def _passages(folder: Path) -> Iterator[dict[str, Any]]:
    return map(asdict, Passages(folder))
