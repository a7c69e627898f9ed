"""Rows as token ids, and the plan that says which of them every optimiser step trains on."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from raft_exp.contexts import limited
from raft_exp.errors import DataError
from raft_exp.prompts import tokens
from raft_exp.records import Example, read_jsonl

IGNORED = -100  # the label of a position that is not trained on
MicroBatch = tuple[int, list[int]]  # (which of the step's micro-batches, row numbers)


@dataclass(frozen=True)
class Rows:
    """Encoded rows: one flat array of ids, cut by `ends`; the last `completions[i]` ids of row i are supervised."""

    ids: list[str]
    tokens: np.ndarray  # int32, all rows behind one another
    ends: np.ndarray  # int64
    completions: np.ndarray  # int64; the end token is counted

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, number: int) -> np.ndarray:
        """Ids of prompt and completion."""
        start = self.ends[number - 1] if number else 0
        return self.tokens[start : self.ends[number]]

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of every row."""
        return np.diff(self.ends, prepend=0)


def encode(examples: Iterable[Example], tokenizer: Any, max_length: int) -> Rows:
    """Encodes chats [.., assistant]. Raises DataError for rows that would have to be cut: none is, silently."""
    ids, pieces, completions, too_long = [], [], [], []
    for example in examples:
        *prompt, reply = example.messages
        if reply["role"] != "assistant" or not reply["content"].strip():
            raise DataError(f"row {example.id}: has no assistant message to learn; mend the dataset")
        prompt_ids = tokens.encode_prompt(tokenizer, prompt)
        completion_ids = tokens.encode_completion(tokenizer, reply["content"])
        if len(prompt_ids) + len(completion_ids) > max_length:
            too_long.append(example.id)
        ids.append(example.id)
        pieces.append(np.asarray(prompt_ids + completion_ids, dtype=np.int32))
        completions.append(len(completion_ids))
    if too_long:
        raise DataError(
            f"{len(too_long)} rows are longer than model.max_length={max_length} tokens ({_some(too_long)}); "
            "raise model.max_length or lower dataset.num_distractors"
        )
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    flat = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int32)
    return Rows(ids, flat, ends, np.asarray(completions, dtype=np.int64))


def read(dataset: Path, split: str, tokenizer: Any, max_length: int, most: int | None = None, seed: int = 0) -> Rows:
    """The rows of one split of a dataset folder, encoded; at most so many, chosen by seed and id."""

    def rows() -> Iterator[Example]:
        return (row for row in read_jsonl(dataset / "rows.jsonl", Example) if row.split == split)

    kept = limited((row.id for row in rows()), most, seed) if most else None
    return encode((row for row in rows() if kept is None or row.id in kept), tokenizer, max_length)


def _some(ids: Sequence[str], limit: int = 5) -> str:
    return ", ".join(ids[:limit]) + (", ..." if len(ids) > limit else "")


def order(ids: Sequence[str], seed: int, epoch: int) -> list[int]:
    """The epoch's order. It follows from the ids alone, so that every recipe sees the same questions alike."""
    rank = {name: hashlib.sha256(f"{seed}:{epoch}:{name}".encode()).digest() for name in ids}
    return sorted(range(len(ids)), key=lambda number: (rank[ids[number]], ids[number]))


@dataclass(frozen=True)
class Plan:
    """Which rows every optimiser step trains on, from the first step of the first epoch to the last of the last."""

    rows: Rows
    steps: list[list[int]]  # row numbers; the last step of an epoch may have fewer

    @classmethod
    def make(cls, rows: Rows, seed: int, batch_size: int, max_epochs: int, max_steps: int) -> "Plan":
        """`max_steps=-1`: as many as `max_epochs` has; else so many, over as many epochs as they need."""
        steps: list[list[int]] = []
        for epoch in range(max_epochs) if max_steps < 0 else count():
            if 0 <= max_steps <= len(steps):
                break
            shuffled = order(rows.ids, seed, epoch)
            steps += [shuffled[start : start + batch_size] for start in range(0, len(shuffled), batch_size)]
        return cls(rows, steps if max_steps < 0 else steps[:max_steps])

    def supervised(self, step: int) -> int:
        """Tokens that the whole step is trained on, over all devices and micro-batches."""
        return int(self.rows.completions[self.steps[step]].sum())


class MicroBatches(Sampler[MicroBatch]):
    """What this process computes: `accumulate` micro-batches for each step from `start` on.

    Rows of similar length share a micro-batch, and each process gets long and short ones: less padding, and no
    process waits for another. A process may get an empty one at an epoch's end; it takes part with no row.
    """

    def __init__(self, plan: Plan, start: int, accumulate: int, rank: int, world_size: int) -> None:
        self._plan, self._start, self._accumulate = plan, start, accumulate
        self._rank, self._world_size = rank, world_size

    def __len__(self) -> int:
        return (len(self._plan.steps) - self._start) * self._accumulate

    def __iter__(self) -> Iterator[MicroBatch]:
        lengths = self._plan.rows.lengths
        for rows in self._plan.steps[self._start :]:
            mine = sorted(rows, key=lambda number: -int(lengths[number]))[self._rank :: self._world_size]
            for index, part in enumerate(np.array_split(np.asarray(mine, dtype=np.int64), self._accumulate)):
                yield index, [int(number) for number in part]


class Batches(Dataset[dict[str, Any]]):
    """Turns the row numbers of a micro-batch into tensors. Use it with `DataLoader(batch_size=None)`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __getitem__(self, batch: MicroBatch) -> dict[str, Any]:
        index, numbers = batch
        return {**collate(self._rows, numbers), "micro_batch": index}


def collate(rows: Rows, numbers: Sequence[int]) -> dict[str, Any]:
    """input_ids and labels [rows, longest], padded on the right, and keep, the positions that predict any label.

    Labels are set by position, never by comparing ids, so the end token stays supervised where pad is the same
    token. Behind a causal mask no supervised position sees the padding: an attention mask is not needed, and
    without one torch takes its fastest attention. No rows gives one row of padding, with nothing supervised.
    """
    width = max((int(rows.lengths[number]) for number in numbers), default=2)
    input_ids = torch.zeros((max(len(numbers), 1), width), dtype=torch.int64)
    labels = torch.full_like(input_ids, IGNORED)
    for line, number in enumerate(numbers):
        ids = torch.from_numpy(rows.row(number).astype(np.int64))
        first = len(ids) - int(rows.completions[number])
        input_ids[line, : len(ids)] = ids
        labels[line, first : len(ids)] = ids[first:]
    predicting = (labels[:, 1:] != IGNORED).any(dim=0).nonzero().squeeze(1)
    keep = predicting if len(numbers) else torch.zeros(1, dtype=torch.int64)
    return {"input_ids": input_ids, "labels": labels, "keep": keep, "rows": len(numbers)}
