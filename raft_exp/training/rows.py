"""Rows as token ids on disk. One process tokenises them; all processes of the machine read them memory-mapped."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock

from raft_exp.core.collection import mapped
from raft_exp.core.errors import DataError
from raft_exp.core.npy import Column
from raft_exp.core.records import Example, read_jsonl
from raft_exp.core.sampling import subsample
from raft_exp.models import tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_COLUMNS = {"tokens": "<i4", "ends": "<i8", "completions": "<i8"}
_IDS = "ids.json"  # written last: its presence shows that the columns are complete


@dataclass(frozen=True)
class Rows:
    """Tokenised rows in one flat array. The last `completions[i]` tokens of row i are supervised."""

    ids: list[str]  # ids of the rows
    tokens: np.ndarray  # int32, the token ids of all rows, concatenated
    ends: np.ndarray  # int64, (rows,), offset after the last token of each row
    completions: np.ndarray  # int64, (rows,), tokens of each completion with its end token

    @classmethod
    def open(cls, folder: Path) -> "Rows":
        """Opens the rows that `encode` wrote to the folder, memory-mapped."""
        ids = json.loads((folder / _IDS).read_text(encoding="utf-8"))
        columns = {
            name: mapped(folder / f"{name}.npy") if ids else np.zeros(0, dtype) for name, dtype in _COLUMNS.items()
        }
        return cls(ids, **columns)

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, number: int) -> np.ndarray:
        """Returns the token ids of a row: prompt, then completion."""
        start = self.ends[number - 1] if number else 0
        return self.tokens[start : self.ends[number]]

    @cached_property
    def lengths(self) -> np.ndarray:
        """The number of tokens of each row, shape (rows,)."""
        return np.diff(self.ends, prepend=0)


def encode(examples: Iterable[Example], tokenizer: "PreTrainedTokenizerBase", max_length: int, folder: Path) -> Rows:
    """Tokenises chats that end in an assistant message, and writes them into `folder`.

    Raises DataError for rows of more than `max_length` tokens (rows are never cut), and for a row without a reply, with
    an empty reply or with an end token inside its reply.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ids, too_long, end = [], [], 0
    with ExitStack() as stack:
        column = {name: stack.enter_context(Column(folder / f"{name}.npy", dtype)) for name, dtype in _COLUMNS.items()}
        for example in examples:
            prompt, completion = _encoded(example, tokenizer)
            end += len(prompt) + len(completion)
            if len(prompt) + len(completion) > max_length:
                too_long.append(example.id)
            ids.append(example.id)
            column["tokens"].extend(np.asarray(prompt + completion))
            column["ends"].add(end)
            column["completions"].add(len(completion))
    if too_long:
        raise DataError(
            f"{len(too_long)} rows are longer than model.max_length={max_length} tokens ({_some(too_long)}), so an "
            "answer would be cut off; raise model.max_length or lower dataset.num_distractors"
        )
    (folder / f"{_IDS}.new").write_text(json.dumps(ids), encoding="utf-8")
    os.replace(folder / f"{_IDS}.new", folder / _IDS)
    return Rows.open(folder)


def _encoded(example: Example, tokenizer: "PreTrainedTokenizerBase") -> tuple[list[int], list[int]]:
    *prompt, reply = example.messages
    if reply["role"] != "assistant" or not reply["content"].strip():
        raise DataError(f"row {example.id}: its last message must be an assistant's reply with text; correct the row")
    completion = tokens.encode_completion(tokenizer, reply["content"])
    end = tokens.end_token_id(tokenizer)
    if len(completion) < 2:
        raise DataError(f"row {example.id}: the tokenizer gives no token for its reply; correct the reply")
    if completion[-1] != end or end in completion[:-1]:
        token = tokenizer.convert_ids_to_tokens(end)
        raise DataError(
            f"row {example.id}: its reply contains the end token {token!r}; remove it from the reply, because training "
            "adds it at the end"
        )
    return tokens.encode_prompt(tokenizer, prompt), completion


def read(
    dataset: Path,
    split: str,
    tokenizer: "PreTrainedTokenizerBase",
    max_length: int,
    folder: Path,
    most: int | None = None,
    seed: int = 0,
) -> Rows:
    """Returns the tokenised rows of one split of a dataset folder.

    The first process that calls this function writes rows into `folder`; other processes, and a resumed run, open them.
    `most`: maximum number of rows (None: all), chosen at random by `seed`. Raises DataError as `encode` does.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if (folder / _IDS).exists():
            return Rows.open(folder)

        def examples() -> Iterator[Example]:
            return (row for row in read_jsonl(dataset / "rows.jsonl", Example) if row.split == split)

        chosen = subsample((row.id for row in examples()), most, seed) if most else None
        return encode((row for row in examples() if chosen is None or row.id in chosen), tokenizer, max_length, folder)


def _some(ids: Sequence[str], limit: int = 5) -> str:
    return ", ".join(ids[:limit]) + (", ..." if len(ids) > limit else "")
