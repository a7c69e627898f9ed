"""Formats of exported datasets, for use in other tools.

To add a format:

1. Write a file in this package with `COLUMNS` (the type of each field, see `columns.py`) and the function `row`.
2. Add its name to FormatName and a line to FORMATS.
3. Document the format in `conf/export/default.yaml`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from raft_exp.core.records import Example
from raft_exp.core.schema import KeyedWhenSet, config_dataclass
from raft_exp.exports import chat, completion, evaluation, preferences, prompts, raft_base
from raft_exp.exports.columns import Columns, Row
from raft_exp.exports.origins import RowOrigins
from raft_exp.exports.trainers.settings import ToolName

FormatName = Literal["chat", "completion", "eval", "raft_base", "prompts", "dpo"]
# Kind of a dataset: its recipe ("raft", "closed_book"), a ready chat file of the user ("ready"), or a test set.
Kind = Literal["raft", "closed_book", "ready", "test"]


def _as_list(value: object) -> object:
    """Returns a single name as a list, and null as the empty list."""
    return [value] if isinstance(value, str) else [] if value is None else value


@config_dataclass
class ExportConfig:
    """The datasets to write for other tools, and their format."""

    dataset: FormatName | list[FormatName] | None
    passages: bool | str  # whether to export the passages; a file name writes them to this file too
    format: Literal["jsonl", "parquet", "hf"]
    push_to_hub: str | None
    private: bool
    licence: str | None
    # tools that get data and configuration files for the study's trainings
    for_: KeyedWhenSet[Annotated[list[ToolName], BeforeValidator(_as_list)]] = Field(alias="for", default_factory=list)

    @model_validator(mode="after")
    def _a_repository_needs_a_folder(self) -> "ExportConfig":
        if self.push_to_hub is None:
            return self
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.push_to_hub, re.ASCII):
            raise ValueError(f"export.push_to_hub: got {self.push_to_hub!r}; must be OWNER/NAME")
        if self.format != "hf":
            raise ValueError(
                f"export.push_to_hub: got {self.push_to_hub!r}, but export.format={self.format} writes no dataset "
                "repository; set export.format=hf"
            )
        if not self.has_tables:
            raise ValueError(
                f"export.push_to_hub: got {self.push_to_hub!r}, but the study exports nothing; set export.dataset to a "
                "format, or export.passages=true"
            )
        return self

    @model_validator(mode="after")
    def _passages_go_into_a_file(self) -> "ExportConfig":
        if isinstance(self.passages, bool):
            return self
        if self.format == "hf":
            raise ValueError(
                f"export.passages: got the file name {self.passages!r}, but export.format=hf writes a folder; use "
                "export.passages=true, or export.format=jsonl or parquet"
            )
        if not self.passages.endswith(f".{self.format}"):
            raise ValueError(
                f"export.passages: got {self.passages!r}; must be true, false, or the name of a file that ends in "
                f".{self.format} (export.format={self.format})"
            )
        return self

    @property
    def names(self) -> list[FormatName]:
        """The formats of `dataset`, without repetitions."""
        formats: list[FormatName] = [self.dataset] if isinstance(self.dataset, str) else self.dataset or []
        return list(dict.fromkeys(formats))

    @property
    def tools(self) -> list[ToolName]:
        """The tools of `for`, without repetitions."""
        return list(dict.fromkeys(self.for_))

    @property
    def has_tables(self) -> bool:
        """Whether the study exports a dataset or the passages."""
        return bool(self.names or self.passages)


@dataclass(frozen=True)
class Format:
    """A format of exported datasets.

    `row`: function that builds an exported row; it returns None for an example that the format cannot hold. `kinds`:
    the kinds of datasets that the format can hold. `graded`: whether exported rows state how replies are graded.
    `quoting`: whether the format needs targets with quotes.
    """

    row: Callable[[Example, RowOrigins], Row | None]
    columns: Columns
    kinds: tuple[Kind, ...]
    graded: bool = False
    quoting: bool = False


FORMATS: dict[str, Format] = {
    "chat": Format(chat.row, chat.COLUMNS, ("raft", "closed_book", "ready")),
    "completion": Format(completion.row, completion.COLUMNS, ("raft", "closed_book", "ready")),
    "eval": Format(evaluation.row, evaluation.COLUMNS, ("raft", "closed_book", "test")),
    "raft_base": Format(raft_base.row, raft_base.COLUMNS, ("raft",)),
    "prompts": Format(prompts.row, prompts.COLUMNS, ("raft", "closed_book"), graded=True),
    "dpo": Format(preferences.row, preferences.COLUMNS, ("raft",), graded=True, quoting=True),
}

PASSAGE_COLUMNS: Columns = {
    "id": "string",
    "document_id": "string",
    "title": "string",
    "text": "string",
    "place": "string",
    "sentences": ["string"],
    "source": "string",
}
