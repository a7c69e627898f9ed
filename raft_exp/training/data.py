"""The plan that says which rows every optimiser step trains on, and its micro-batches as tensors."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from raft_exp.training.rows import Rows

IGNORED = -100  # the label of a position that is not trained on
ENOUGH = 2048  # tokens of a micro-batch that keep a CPU busy; more only take memory. Part of stages.train.VERSION
MicroBatch = tuple[int, list[int]]  # (which of the step's micro-batches, row numbers)


def order(ids: Sequence[str], seed: int, epoch: int) -> list[int]:
    """The epoch's order. It follows from the ids alone, so that every recipe sees the same questions alike."""
    rank = {name: hashlib.sha256(f"{seed}:{epoch}:{name}".encode()).digest() for name in ids}
    return sorted(range(len(ids)), key=lambda number: (rank[ids[number]], ids[number]))


@dataclass(frozen=True)
class TrainingPlan:
    """Which rows every optimiser step trains on, from the first step of the first epoch to the last of the last."""

    rows: Rows
    steps: list[list[int]]  # row numbers; the last step of an epoch may have fewer

    @classmethod
    def make(cls, rows: Rows, seed: int, batch_size: int, max_epochs: int, max_steps: int) -> "TrainingPlan":
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

    def micro_batches(self, batch_size: int, processes: int) -> int:
        """Into how many a process must part its rows of a step for none to have many more than `ENOUGH` tokens."""
        rows = max(1, batch_size // processes)
        most = max((self.tokens(step) for step in range(len(self.steps))), default=0)
        whole = (parts for parts in range(1, rows) if rows % parts == 0)
        return next((parts for parts in whole if most <= parts * processes * ENOUGH), rows)

    def tokens(self, step: int) -> int:
        """Tokens of the step's rows, prompts and completions."""
        return int(self.rows.lengths[self.steps[step]].sum())


class MicroBatches(Sampler[MicroBatch]):
    """What this process computes: `accumulate` micro-batches for each step from `start` on.

    Which rows share a step is the plan's affair. Here they are dealt out: packed, so that all micro-batches of all
    processes have about as many tokens; padded, so that rows of similar length share one. A process may get an empty
    one at an epoch's end; it takes part with no row.
    """

    def __init__(
        self, plan: TrainingPlan, start: int, accumulate: int, rank: int, world_size: int, packing: bool
    ) -> None:
        self._plan, self._start, self._accumulate = plan, start, accumulate
        self._rank, self._world_size, self._packing = rank, world_size, packing

    def __len__(self) -> int:
        return (len(self._plan.steps) - self._start) * self._accumulate

    def __iter__(self) -> Iterator[MicroBatch]:
        lengths = self._plan.rows.lengths
        for rows in self._plan.steps[self._start :]:
            longest_first = sorted(rows, key=lambda number: -int(lengths[number]))
            yield from enumerate(self._packed(longest_first) if self._packing else self._padded(longest_first))

    def _packed(self, longest_first: list[int]) -> list[list[int]]:
        parts = deal(longest_first, self._plan.rows.lengths, self._accumulate * self._world_size)
        return parts[self._rank :: self._world_size]

    def _padded(self, longest_first: list[int]) -> list[list[int]]:
        mine = np.asarray(longest_first[self._rank :: self._world_size], dtype=np.int64)
        return [part.tolist() for part in np.array_split(mine, self._accumulate)]


def deal(longest_first: Sequence[int], lengths: np.ndarray, parts: int) -> list[list[int]]:
    """Row numbers in `parts` lists of about equal tokens: each row goes where there are fewest so far."""
    dealt: list[list[int]] = [[] for _ in range(parts)]
    tokens = [0] * parts
    for number in longest_first:
        place = tokens.index(min(tokens))
        dealt[place].append(number)
        tokens[place] += int(lengths[number])
    return dealt


class MicroBatchDataset(Dataset[dict[str, Any]]):
    """Turns the row numbers of a micro-batch into tensors. Use it with `DataLoader(batch_size=None)`."""

    def __init__(self, rows: Rows, packing: bool) -> None:
        self._rows, self._packing = rows, packing

    def __getitem__(self, batch: MicroBatch) -> dict[str, Any]:
        index, numbers = batch
        return {**collate(self._rows, numbers, self._packing), "micro_batch": index}


def collate(rows: Rows, numbers: Sequence[int], packing: bool) -> dict[str, Any]:
    """A micro-batch: `inputs` of the model, `keep` (positions that predict a label), `targets` and `rows`.

    Labels are set by position, never by comparing ids, so the end token stays supervised where pad is the same token.
    """
    return pack(rows, numbers) if packing else pad(rows, numbers)


def pack(rows: Rows, numbers: Sequence[int]) -> dict[str, Any]:
    """Rows behind one another [1, tokens]; positions restart, and `cu_seq_lens_q` says where each row begins.

    `targets` is [kept positions]. No rows give two tokens of padding, with nothing supervised.
    """
    lengths = [int(rows.lengths[number]) for number in numbers] or [2]
    ends = list(accumulate(lengths))
    completions = [int(rows.completions[number]) for number in numbers] or [0]
    ids = np.concatenate([rows.row(number) for number in numbers]) if len(numbers) else np.zeros(2, dtype=np.int32)
    supervised = np.concatenate([np.arange(end - size, end) for end, size in zip(ends, completions, strict=True)])
    # plain arithmetic in numpy: a micro-batch is made while the device works, and torch would take its threads
    input_ids = torch.from_numpy(ids.astype(np.int64))
    labelled = torch.from_numpy(supervised)
    return {
        "inputs": {
            "input_ids": input_ids[None],
            "position_ids": torch.from_numpy(np.concatenate([np.arange(length) for length in lengths]))[None],
            "cu_seq_lens_q": torch.tensor([0, *ends], dtype=torch.int32),
            "max_length_q": max(lengths),
        },
        "keep": labelled - 1 if len(numbers) else torch.zeros(1, dtype=torch.int64),
        "targets": input_ids[labelled] if len(numbers) else torch.full((1,), IGNORED),
        "rows": len(numbers),
    }


def pad(rows: Rows, numbers: Sequence[int]) -> dict[str, Any]:
    """Rows beside one another, padded on the right [rows, longest]; `targets` is [rows, kept positions].

    Behind a causal mask no supervised position sees the padding: an attention mask is not needed, and without one
    torch takes its fastest attention. No rows give one row of padding, with nothing supervised.
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
    return {"inputs": {"input_ids": input_ids}, "keep": keep, "targets": labels[:, keep + 1], "rows": len(numbers)}
