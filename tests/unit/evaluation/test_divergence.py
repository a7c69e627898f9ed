"""KL(base || trained) over a text: an independent computation, equal models, and windows."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.evaluation.divergence import WINDOW, Logits, batches, divergence, windows
from raft_exp.models.loading import load_tokenizer

VOCABULARY = 11


def bigram(seed: int) -> torch.Tensor:
    """A hand-made language model: the logits of the next token for each token."""
    drawn = np.random.default_rng(seed).normal(scale=2, size=(VOCABULARY, VOCABULARY))
    return torch.tensor(drawn, dtype=torch.float32)


def model(table: torch.Tensor) -> Logits:
    return lambda ids: table[ids]


def expected(base: torch.Tensor, trained: torch.Tensor, texts: list[list[int]]) -> dict[str, float]:
    """The same figures, position by position, with the sums written out in float64."""
    kl, base_loss, loss, tokens = 0.0, 0.0, 0.0, 0
    for text in texts:
        for token, following in pairwise(text):
            shares = [np.exp(table[token].double().numpy()) for table in (base, trained)]
            p, q = (share / share.sum() for share in shares)
            kl += sum(p[v] * (np.log(p[v]) - np.log(q[v])) for v in range(VOCABULARY))
            base_loss, loss, tokens = base_loss - np.log(p[following]), loss - np.log(q[following]), tokens + 1
    return {"kl": kl / tokens, "tokens": tokens, "base_loss": base_loss / tokens, "loss": loss / tokens}


texts_strategy = st.lists(st.lists(st.integers(0, VOCABULARY - 1), min_size=2, max_size=90), min_size=1, max_size=6)


@given(texts_strategy, st.integers(0, 99), st.integers(100, 199))
def test_the_figures_equal_an_independent_computation(texts, first, second):
    base, trained = bigram(first), bigram(second)
    found = divergence(model(base), model(trained), batches(texts))
    assert found == pytest.approx(expected(base, trained, texts), rel=1e-5)
    assert found["kl"] > 0


@given(texts_strategy, st.integers(0, 99))
def test_a_model_has_no_divergence_from_itself(texts, seed):
    found = divergence(model(bigram(seed)), model(bigram(seed)), batches(texts))
    assert found["kl"] == 0
    assert found["loss"] == found["base_loss"]


def test_a_token_that_is_impossible_for_the_base_model_adds_nothing():
    base, trained = bigram(1), bigram(2)
    base[:, 0] = float("-inf")
    found = divergence(model(base), model(trained), batches([[1, 2, 3, 4]]))
    p = base[[1, 2, 3], 1:].double().softmax(-1)
    q = trained[[1, 2, 3]].double().log_softmax(-1)[:, 1:]
    assert found["kl"] == pytest.approx((p * (p.log() - q)).sum(-1).mean().item(), rel=1e-5)


@given(texts_strategy)
def test_batches_hold_every_window_once_with_equal_lengths_and_few_tokens(texts):
    made = list(batches(texts))
    assert [row for batch in made for row in batch.tolist()] == texts
    assert all(batch.numel() <= max(512, batch.shape[1]) for batch in made)


@pytest.mark.parametrize("name", ["asset:tiny", "asset:pocket"])
@pytest.mark.parametrize("length", [7, 16, WINDOW])
def test_windows_hold_the_whole_text_in_its_order(name, length):
    tokenizer = load_tokenizer(name)
    text = "A loaf of bread needs four things: flour, water, salt and time. " * 9
    cut = windows(tokenizer, text, length)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    start = [tokenizer.bos_token_id] if tokenizer.bos_token_id in tokenizer("")["input_ids"] else []
    assert all(window[: len(start)] == start for window in cut)
    held = [token for window in cut for token in window[len(start) :]]
    assert held == ids[: len(held)]
    assert len(ids) - len(held) <= 1, "a last window of one token predicts nothing"
    assert {len(window) for window in cut[:-1]} <= {length}


class Started:
    """A tokenizer of characters that puts a start token before a text."""

    bos_token_id = 99

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, Any]:
        return {"input_ids": [self.bos_token_id] * add_special_tokens + [ord(letter) for letter in text]}


def test_each_window_begins_with_the_start_token_of_a_tokenizer_that_adds_one():
    tokenizer: Any = Started()
    assert windows(tokenizer, "abcde", 3) == [[99, 97, 98], [99, 99, 100], [99, 101]]
