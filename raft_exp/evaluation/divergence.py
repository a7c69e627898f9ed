"""The mean Kullback-Leibler divergence of a trained model from its base model, over the tokens of a text."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import torch

from raft_exp.evaluation.results import Divergence

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WINDOW = 256  # largest number of tokens of a window: a model reads each window alone
_TOGETHER = 512  # largest number of tokens of a batch of windows
_ROWS = 64  # tokens whose distributions are compared at a time

Logits = Callable[[torch.Tensor], torch.Tensor]  # token ids [batch, length] -> logits [batch, length, vocabulary]


def windows(tokenizer: "PreTrainedTokenizerBase", text: str, length: int = WINDOW) -> list[list[int]]:
    """Cuts a text into consecutive windows of at most `length` token ids, without overlap.

    If the tokenizer puts a start token before a text, each window begins with this token. A window of a single token is
    left out, because it predicts no token.
    """
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    begins = tokenizer.bos_token_id is not None and tokenizer.bos_token_id in tokenizer("")["input_ids"]
    start = [int(tokenizer.bos_token_id)] if begins else []
    size = length - len(start)
    cut = [start + ids[place : place + size] for place in range(0, len(ids), size)]
    return [window for window in cut if len(window) > 1]


def batches(cut: Sequence[list[int]]) -> Iterator[torch.Tensor]:
    """Yields the windows `cut` as tensors [batch, length] of at most 512 tokens. A batch has windows of one length."""
    for length, group in groupby(cut, len):
        same = list(group)
        size = max(1, _TOGETHER // length)
        for place in range(0, len(same), size):
            yield torch.tensor(same[place : place + size])


def divergence(base: Logits, trained: Logits, texts: Iterable[torch.Tensor]) -> Divergence:
    """Returns mean KL(base || trained) and the mean loss of both models, in nats per predicted token.

    `texts`: token ids [batch, length], with at least one predicted token in all. Only one batch of logits is in memory
    at a time. Sums over the vocabulary are in float32, sums over tokens in float64.
    """
    kl = base_loss = loss = 0.0
    tokens = 0
    for ids in texts:
        with torch.inference_mode():
            before, after = base(ids)[:, :-1].flatten(0, 1), trained(ids)[:, :-1].flatten(0, 1)
            targets = ids[:, 1:].reshape(-1, 1).to(before.device)
            for p, q, target in zip(before.split(_ROWS), after.split(_ROWS), targets.split(_ROWS), strict=True):
                log_p, log_q = p.float().log_softmax(-1), q.float().log_softmax(-1)
                share = log_p.exp()
                at_token = torch.where(share > 0, share * (log_p - log_q), 0.0)  # 0 * log 0 is 0
                kl += at_token.sum(-1).sum(dtype=torch.float64).item()
                base_loss -= log_p.gather(-1, target).sum(dtype=torch.float64).item()
                loss -= log_q.gather(-1, target).sum(dtype=torch.float64).item()
            tokens += len(targets)
    return {"kl": kl / tokens, "tokens": tokens, "base_loss": base_loss / tokens, "loss": loss / tokens}
