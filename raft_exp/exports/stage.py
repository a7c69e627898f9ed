"""Stage `export`: writes the datasets and passages of a study in the formats of other tools (`raft_exp.exports`)."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, field
from functools import partial
from pathlib import Path
from typing import Literal

from raft_exp.core.audit import DatasetAudit
from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Example, read_jsonl
from raft_exp.core.schema import KeyedWhenSet, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.exports import FORMATS, PASSAGE_COLUMNS, Format, FormatName, Kind
from raft_exp.exports.card import Card, card
from raft_exp.exports.columns import Row
from raft_exp.exports.origins import RowOrigins
from raft_exp.exports.tables import HF, Table, write
from raft_exp.exports.trainers import folder as trainers_folder
from raft_exp.exports.trainers.settings import ToolSettings
from raft_exp.prompts.reward_settings import RewardSettings

VERSION = 1

log = logging.getLogger(__name__)


@config_dataclass
class ExportStage:
    """Settings that change the exported files."""

    formats: list[FormatName]
    passages: bool
    format: Literal["jsonl", "parquet", "hf"]
    kinds: dict[str, Kind]  # dataset name -> kind
    card: Card | None  # for format "hf"
    # training set -> how replies to its rows are graded; for formats whose rows state this
    rewards: KeyedWhenSet[dict[str, RewardSettings]] = field(default_factory=dict)
    trainers: KeyedWhenSet[ToolSettings | None] = None  # tools that get files for the study's trainings


def tables_of(
    kinds: Mapping[str, Kind], formats: list[FormatName], rewards: Mapping[str, RewardSettings]
) -> list[tuple[str, FormatName]]:
    """Returns (dataset name, format) for each dataset and each format that can hold it.

    Some formats cannot hold a test set (without targets), a ready chat file (without contexts), or targets without
    quotes. `kinds`: dataset name -> kind. `rewards`: training set -> its grading.
    """
    return [(name, chosen) for chosen in formats for name in kinds if _can_hold(FORMATS[chosen], name, kinds, rewards)]


def _can_hold(chosen: Format, name: str, kinds: Mapping[str, Kind], rewards: Mapping[str, RewardSettings]) -> bool:
    return kinds[name] in chosen.kinds and (not chosen.quoting or rewards[name].cot)


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
    """Writes the folder exports/ and counts.json, which has the number of rows of each table and tool's data file.

    exports/ has a table for each dataset and format, the table of the passages, and a folder for each tool. `datasets`
    and `tests`: name -> folder of the training or test set. `questions`: folder of the stage `questions`; if it is
    None, no dataset is written as a table. Raises DataError if a table leaves out all training rows of a dataset, or if
    a tool of `config.trainers` would train on other token ids than the study.
    """
    folders = {**(datasets or {}), **(tests or {})}
    audits = {name: _audit(folder) for name, folder in folders.items()}
    tables = [
        _table(
            name,
            chosen,
            folders[name],
            list(audits[name]["splits"]),
            partial(RowOrigins, questions, passages, config.rewards.get(name)),
        )
        for name, chosen in tables_of(config.kinds, config.formats, config.rewards)
        if questions
    ]
    if config.passages:
        tables.append(Table("passages", PASSAGE_COLUMNS, "train", {"train": partial(_passages, passages)}))
    counts = {table.name: write(out / "exports", table, config.format) for table in tables}
    for table in tables:
        _check_rows(table, counts[table.name], audits)
    if config.card:
        page = card(config.card, tables, counts, audits)
        (out / "exports" / HF / "README.md").write_text(page, encoding="utf-8", newline="\n")
    rows = {name: sum(splits.values()) for name, splits in counts.items()}
    if config.trainers:
        rows |= trainers_folder.write(out / "exports", config.trainers, datasets or {})
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
        row = row_format.row(example, origins) if example.split == split else None
        if row is not None:
            yield row


def _check_rows(table: Table, counts: Mapping[str, int], audits: Mapping[str, DatasetAudit]) -> None:
    """Logs how many rows of a dataset a table leaves out. Raises DataError if it leaves out all training rows."""
    name, _, chosen = table.name.rpartition(".")
    if name not in audits:  # the passages
        return
    rows = {split: audit["rows"] for split, audit in audits[name]["splits"].items()}
    if left_out := sum(rows.values()) - sum(counts.values()):
        log.warning("exports/%s: %d rows without a preference pair are left out", table.name, left_out)
    if rows.get(table.main) and not counts[table.main]:
        raise DataError(
            f"export.dataset: no row of the data set {name!r} can be written as {chosen!r}; the targets must "
            "quote gold passages (teacher=extractive), and the prompts must show distractors (dataset.num_distractors)"
        )


def _passages(folder: Path) -> Iterator[Row]:
    return map(asdict, Passages(folder))
