"""Pre-trains the pocket model from random weights on one CPU core, in stages of increasing difficulty."""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from raft_exp.corpora.almanac.names import GIVEN, STARTS
from tools.pocket.muon import Muon
from tools.pocket.network import Network, Shape
from tools.pocket.practice import READ, Parts, Practice
from tools.pocket.vocabulary import build_tokenizer
from tools.pocket.worlds import Plan

if TYPE_CHECKING:
    from tokenizers import Tokenizer

log = logging.getLogger(__name__)

MUON_RATE, ADAM_RATE = 0.02, 0.003
_WARMUP = 30  # steps
_TOKENS_PER_EXERCISE = 22  # approximate mean; determines the number of exercises for a sequence


@dataclass(frozen=True)
class Stage:
    """A stage of pre-training: `steps` optimizer steps on batches of `rows` sequences of `length` tokens.

    `rate`: factors of the learning rate at the first and the last step, with linear interpolation.
    """

    steps: int
    length: int
    rows: int
    plan: Plan
    rate: tuple[float, float] = (1.0, 1.0)


class Encoder:
    """Converts exercises to token ids and loss weights."""

    def __init__(self) -> None:
        self.tokenizer: Tokenizer = build_tokenizer()
        size = self.tokenizer.get_vocab_size()
        self.vocabulary = (size + 63) // 64 * 64

    def __call__(self, parts: Parts) -> tuple[list[int], list[float]]:
        """Returns the token ids of an exercise, and the loss weight of each token."""
        encoded = self.tokenizer.encode_batch([text for text, _ in parts], add_special_tokens=False)
        ids = [token for piece in encoded for token in piece.ids]
        weights = [weight for piece, (_, weight) in zip(encoded, parts, strict=True) for _ in piece.ids]
        return ids, weights

    def alike(self) -> Iterator[tuple[int, int]]:
        """Yields for each name part the ids of its token without and of its token with a leading space."""
        for word in STARTS + GIVEN:
            bare, spaced = self.tokenizer.token_to_id(word), self.tokenizer.token_to_id(f"Ġ{word}")
            assert bare is not None
            assert spaced is not None
            yield bare, spaced


def batch(practice: Practice, encoder: Encoder, stage: Stage) -> tuple[Tensor, Tensor]:
    """Returns token ids and loss weights, both of shape [rows, length + 1].

    Each row holds several exercises; the last one is cut off at the end of the row.
    """
    size = stage.length + 1
    ids, weights = np.zeros((stage.rows, size), np.int64), np.zeros((stage.rows, size), np.float32)
    for row in range(stage.rows):
        filled = 0
        while filled < size:
            further = max(2, (size - filled) // _TOKENS_PER_EXERCISE)
            more_ids, more_weights = encoder(practice.exercise(stage.plan, further))
            count = min(len(more_ids), size - filled)
            ids[row, filled : filled + count] = more_ids[:count]
            weights[row, filled : filled + count] = more_weights[:count]
            filled += count
    return torch.from_numpy(ids), torch.from_numpy(weights)


class Trainer:
    """Holds network, optimizers and data of a pre-training run. `micro_batch`: tokens of one backward pass."""

    def __init__(self, shape: Shape, seed: int, encoder: Encoder, micro_batch: int = 4608) -> None:
        torch.manual_seed(seed)
        self.encoder = encoder
        self.network = Network(shape)
        with torch.no_grad():
            for bare, spaced in encoder.alike():
                self.network.embedding.weight[bare] = self.network.embedding.weight[spaced]
        self._micro_batch = micro_batch  # tokens
        self.steps, self.tokens = 0, 0
        self.begin(seed)

    def begin(self, seed: int) -> None:
        """Creates new optimizers, and new data from `seed`. Keeps the current weights."""
        matrices = self.network.matrices()
        muon_ids = {id(matrix) for matrix, _ in matrices}
        self._others = [weight for weight in self.network.parameters() if id(weight) not in muon_ids]
        self._muon = Muon(matrices, MUON_RATE)
        self._adam = torch.optim.AdamW(self._others, ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0)
        self._practice = Practice(seed)
        self._generator = np.random.default_rng(seed)
        self._first_step = self.steps

    def run(self, stages: Sequence[Stage]) -> None:
        """Runs the stages in order and logs loss and speed every 50 steps."""
        start = time.monotonic()
        for number, stage in enumerate(stages, start=1):
            losses: list[float] = []
            for step in range(stage.steps):
                first, last = stage.rate
                losses.append(self._step(stage, first + (last - first) * step / stage.steps))
                if self.steps % 50 == 0:
                    rate = self.tokens / (time.monotonic() - start)
                    loss = sum(losses[-50:]) / len(losses[-50:])
                    log.info(
                        "stage %d step %d: %.1f M tokens, loss %.3f, %.0f tokens/s",
                        number,
                        self.steps,
                        self.tokens / 1e6,
                        loss,
                        rate,
                    )

    def _step(self, stage: Stage, rate: float) -> float:
        """Runs one optimizer step. Returns the mean loss of the tokens with weight 1, which the context determines."""
        rate *= min(1.0, (self.steps - self._first_step + 1) / _WARMUP)
        ids, weights = batch(self._practice, self.encoder, stage)
        loss = self._backward(ids, weights[:, 1:])
        torch.nn.utils.clip_grad_norm_(self._others, 1.0)
        for group in self._adam.param_groups:
            group["lr"] = ADAM_RATE * rate
        self._muon.step(rate)
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        self.steps += 1
        self.tokens += weights[:, 1:].numel()
        return loss

    def _backward(self, ids: Tensor, weights: Tensor) -> float:
        # A random part of the tokens of low weight is trained with full weight: the same expected loss at less cost.
        drawn = torch.from_numpy(self._generator.random(weights.shape)) < READ
        trained = (weights >= 1) | ((weights > 0) & drawn)
        rows = max(1, self._micro_batch // weights.shape[1])
        total, known, count = int(trained.sum()), 0.0, 0
        for begin in range(0, len(ids), rows):
            part = slice(begin, begin + rows)
            places = trained[part].flatten().nonzero().squeeze(1)
            with torch.autocast("cpu", torch.bfloat16):
                logits = self.network(ids[part, :-1], places)
            losses = F.cross_entropy(logits.float(), ids[part, 1:].flatten()[places], reduction="none")
            (losses.sum() / total).backward()
            determined = weights[part].flatten()[places] >= 1
            known += float(losses.detach()[determined].sum())
            count += int(determined.sum())
        return known / max(1, count)


def use_one_thread() -> None:
    """Sets torch to one thread (or OMP_NUM_THREADS), so that each run on a machine gives the same weights.

    More threads would not be faster for a model of this size.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
