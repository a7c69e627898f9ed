"""The plan of a training (the rows of each optimiser step), and its micro-batches as tensors."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from typing import NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from raft_exp.training.rows import Rows

IGNORED = -100  # the label of a token without a loss
ENOUGH = 2048  # tokens of a micro-batch that keep a CPU busy; more only take memory. A change needs a new VERSION
MicroBatch = tuple[int, list[int]]  # (index within the step, row numbers)


class ModelInputs(TypedDict):
    """Keyword arguments of the model's forward pass. Keys other than `input_ids` are for packed rows."""

    input_ids: Tensor  # int64 [rows, tokens]
    position_ids: NotRequired[Tensor]  # int64 [1, tokens]
    cu_seq_lens_q: NotRequired[Tensor]  # int32 [packed rows + 1], offsets of the rows' first tokens, and the total
    max_length_q: NotRequired[int]  # tokens of the longest packed row
    attention_mask: NotRequired[Tensor]  # bool [1, 1, tokens, tokens], only for a row on the meta device


class Batch(TypedDict):
    """Rows as tensors, for one forward pass."""

    inputs: ModelInputs
    keep: Tensor  # int64, positions whose logits predict a supervised token
    targets: Tensor  # int64, the tokens to predict at these positions
    rows: int  # 0: the tensors contain only padding


class TrainingBatch(Batch):
    """A micro-batch of an optimiser step, as tensors."""

    micro_batch: int  # index within the step


def order(ids: Sequence[str], seed: int, epoch: int) -> list[int]:
    """Returns the row numbers in the random order of an epoch.

    The order depends only on `ids`, `seed` and `epoch`, so that all recipes train on the same questions in one order.
    """
    rank = {name: hashlib.sha256(f"{seed}:{epoch}:{name}".encode()).digest() for name in ids}
    return sorted(range(len(ids)), key=lambda number: (rank[ids[number]], ids[number]))


@dataclass(frozen=True)
class TrainingPlan:
    """The rows of each optimiser step, over all epochs."""

    rows: Rows
    steps: list[list[int]]  # row numbers; the last step of an epoch or of the plan may have fewer

    @classmethod
    def make(cls, rows: Rows, seed: int, batch_size: int, max_epochs: int, max_steps: int) -> "TrainingPlan":
        """Returns a plan of `max_steps` steps, with as many epochs as necessary.

        `max_steps=-1`: all steps of `max_epochs` epochs. `batch_size`: rows of one step.
        """
        steps: list[list[int]] = []
        for epoch in range(max_epochs) if max_steps < 0 else count():
            if 0 <= max_steps <= len(steps):
                break
            shuffled = order(rows.ids, seed, epoch)
            steps += [shuffled[start : start + batch_size] for start in range(0, len(shuffled), batch_size)]
        return cls(rows, steps if max_steps < 0 else steps[:max_steps])

    @classmethod
    def of_tokens(cls, rows: Rows, seed: int, batch_size: int, supervised_tokens: int) -> "TrainingPlan":
        """Returns a plan of at least `supervised_tokens` supervised tokens, with as many epochs as necessary.

        The plan ends with the row that reaches this number: the excess is shorter than the completion of that row.
        """
        steps: list[list[int]] = []
        left = supervised_tokens
        for shuffled in (order(rows.ids, seed, epoch) for epoch in count()):
            for start in range(0, len(shuffled), batch_size):
                step = shuffled[start : start + batch_size]
                totals = np.cumsum(rows.completions[step])
                step = step[: int(np.searchsorted(totals, left)) + 1]
                steps.append(step)
                left -= int(totals[len(step) - 1])
                if left <= 0:
                    return cls(rows, steps)
        raise AssertionError("epochs do not end")

    def supervised(self, step: int) -> int:
        """Returns the number of supervised tokens of a step (index from 0), over all devices and micro-batches."""
        return int(self.rows.completions[self.steps[step]].sum())

    def micro_batches(self, batch_size: int, processes: int) -> int:
        """Returns the number of micro-batches per process and step, so that each has at most about `ENOUGH` tokens.

        The number divides the rows of a process, and is the lowest that does so. If none fits, each micro-batch has one
        row, which may have more tokens. `batch_size`: rows of one step.
        """
        rows = max(1, batch_size // processes)
        most = max((self.tokens(step) for step in range(len(self.steps))), default=0)
        whole = (parts for parts in range(1, rows) if rows % parts == 0)
        return next((parts for parts in whole if most <= parts * processes * ENOUGH), rows)

    def tokens(self, step: int) -> int:
        """Returns the number of tokens of a step (index from 0): prompts and completions of its rows."""
        return int(self.rows.lengths[self.steps[step]].sum())


class MicroBatches(Sampler[MicroBatch]):
    """Yields the micro-batches of one process: `accumulate` per step, from step `start` on.

    The rows of a step (from the plan) are distributed over the micro-batches of all processes. With packing, all
    micro-batches have about the same number of tokens. With padding, rows of similar length share a micro-batch. In the
    last step of an epoch or of the plan, a micro-batch may be empty.
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
    """Distributes row numbers over `parts` lists with about equal numbers of tokens.

    Each row, the longest first, goes to the list with the fewest tokens so far. `lengths`: tokens of each row.
    """
    lists: list[list[int]] = [[] for _ in range(parts)]
    tokens = [0] * parts
    for number in longest_first:
        shortest = tokens.index(min(tokens))
        lists[shortest].append(number)
        tokens[shortest] += int(lengths[number])
    return lists


class MicroBatchDataset(Dataset[TrainingBatch]):
    """Turns the row numbers of a micro-batch into tensors, for `DataLoader(batch_size=None)`."""

    def __init__(self, rows: Rows, packing: bool) -> None:
        self._rows, self._packing = rows, packing

    def __getitem__(self, batch: MicroBatch) -> TrainingBatch:
        index, numbers = batch
        return {**collate(self._rows, numbers, self._packing), "micro_batch": index}


def collate(rows: Rows, numbers: Sequence[int], packing: bool) -> Batch:
    """Returns rows as tensors, packed or padded. `numbers`: the numbers of the rows; may be empty.

    Labels are set by position, not by token id. So the end token is supervised also where it equals the pad token.
    """
    return pack(rows, numbers) if packing else pad(rows, numbers)


def pack(rows: Rows, numbers: Sequence[int]) -> Batch:
    """Concatenates rows to shape [1, tokens]; position ids restart with each row. `targets`: shape [supervised tokens].

    Without rows the result has two tokens of padding, and none is supervised.
    """
    lengths = [int(rows.lengths[number]) for number in numbers] or [2]
    ends = list(accumulate(lengths))
    completions = [int(rows.completions[number]) for number in numbers] or [0]
    ids = np.concatenate([rows.row(number) for number in numbers]) if len(numbers) else np.zeros(2, dtype=np.int32)
    supervised = np.concatenate([np.arange(end - size, end) for end, size in zip(ends, completions, strict=True)])
    # numpy, because torch would use the threads that the training step on a CPU needs
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


def pad(rows: Rows, numbers: Sequence[int]) -> Batch:
    """Pads rows on the right to shape [rows, longest]; `targets`: shape [rows, kept positions].

    There is no attention mask: the causal mask already hides padding on the right, and torch's fastest attention kernel
    takes no mask. Without rows the result is one row of padding, and no token is supervised.
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
