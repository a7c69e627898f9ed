"""Data sets for other tools. A format is one file here with `COLUMNS` and `row`, and one line in FORMATS.

`COLUMNS` says the type of each field: "string", "bool", [type] for a list, {name: type} for a record.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import model_validator

from raft_exp.core.records import Example
from raft_exp.core.schema import config_dataclass
from raft_exp.exports import chat, completion, evaluation, raft_base
from raft_exp.exports.origins import RowOrigins

FormatName = Literal["chat", "completion", "eval", "raft_base"]
Kind = Literal["raft", "closed_book", "ready", "test"]  # of a dataset: its recipe, a ready chat file, or what is asked


@config_dataclass
class ExportConfig:
    """Which data sets are written for other tools, and how."""

    dataset: FormatName | list[FormatName] | None
    passages: bool | str  # a file's name: there, and in the run folder
    format: Literal["jsonl", "parquet", "hf"]
    push_to_hub: str | None
    private: bool
    licence: str | None

    @model_validator(mode="after")
    def _a_repository_needs_a_folder(self) -> "ExportConfig":
        if self.push_to_hub is None:
            return self
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.push_to_hub, re.ASCII):
            raise ValueError(f"export.push_to_hub: got {self.push_to_hub!r}; must be OWNER/NAME")
        if self.format != "hf":
            raise ValueError(f"export.push_to_hub: a repository is pushed with export.format=hf, not {self.format!r}")
        if not self.wanted:
            raise ValueError("export.push_to_hub: there is nothing to push; set export.dataset or export.passages")
        return self

    @model_validator(mode="after")
    def _passages_go_into_a_file(self) -> "ExportConfig":
        if isinstance(self.passages, bool):
            return self
        if self.format == "hf":
            raise ValueError("export.passages: a single file is written with export.format=jsonl or parquet, not hf")
        if not self.passages.endswith(f".{self.format}"):
            raise ValueError(
                f"export.passages: got {self.passages!r}; must be true, false, or the name of a file that ends in "
                f".{self.format} (export.format={self.format})"
            )
        return self

    @property
    def names(self) -> list[FormatName]:
        """The formats asked for, each once."""
        given: list[FormatName] = [self.dataset] if isinstance(self.dataset, str) else self.dataset or []
        return list(dict.fromkeys(given))

    @property
    def wanted(self) -> bool:
        """Whether anything is to be exported."""
        return bool(self.names or self.passages)


@dataclass(frozen=True)
class Format:
    """How a row looks, and of which datasets it can be written."""

    row: Callable[[Example, RowOrigins], dict[str, Any]]
    columns: dict[str, Any]
    kinds: tuple[Kind, ...]


FORMATS: dict[str, Format] = {
    "chat": Format(chat.row, chat.COLUMNS, ("raft", "closed_book", "ready")),
    "completion": Format(completion.row, completion.COLUMNS, ("raft", "closed_book", "ready")),
    "eval": Format(evaluation.row, evaluation.COLUMNS, ("raft", "closed_book", "test")),
    "raft_base": Format(raft_base.row, raft_base.COLUMNS, ("raft",)),
}

PASSAGE_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("id", "document_id", "title", "text", "place"), "string"),
    "sentences": ["string"],
    "source": "string",
}
