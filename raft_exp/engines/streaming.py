"""Streaming of replies: passes each piece of text to a listener as soon as its tokens are generated."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from raft_exp.engines import Request

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class ReplyListener(Protocol):
    """Receives the text of replies in pieces during generation, and may end a reply early."""

    def said(self, request: Request, text: str) -> None:
        """Takes the next piece of the reply to `request`."""

    def enough(self, request: Request, tokens: int) -> bool:
        """Returns whether to end the reply after its first `tokens` tokens.

        Called in each decoding step, with the number of tokens so far, until it returns True.
        """


class StreamingCriteria(BaseStreamer, StoppingCriteria):  # type: ignore[misc]
    """Streamer and stopping criteria for one batch in `generate` of transformers.

    In each step `generate` first calls `__call__`, which returns the rows that end, then `put` with the new tokens.
    `stops`: ids of the end tokens.
    """

    def __init__(
        self,
        batch: Sequence[Request],
        stops: Collection[int],
        tokenizer: "PreTrainedTokenizerBase",
        listener: ReplyListener,
    ) -> None:
        self._rows = [TokenDecoder(request, tokenizer, listener) for request in batch]
        self._limits: list[int | None] = [None] * len(batch)  # tokens of a row that the listener ended
        self._stops, self._listener = frozenset(stops), listener
        self._steps = -1  # the first `put` holds the prompts

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: object) -> torch.Tensor:
        """Returns which rows end in this step, as a bool tensor of shape (batch,)."""
        steps = self._steps + 1
        for place, row in enumerate(self._rows):
            if self._limits[place] is None and self._listener.enough(row.request, steps):
                self._limits[place] = steps
        ended = [limit is not None for limit in self._limits]
        return torch.tensor(ended, dtype=torch.bool, device=input_ids.device)

    def put(self, value: torch.Tensor) -> None:
        """Takes the new tokens of a step, shape (batch,). Ignores the first call, which passes the prompts."""
        self._steps += 1
        if not self._steps:
            return
        for row, limit, token in zip(self._rows, self._limits, value.tolist(), strict=True):
            if limit is None or self._steps <= limit:
                row.take([token], self._stops)

    def end(self) -> None:
        """Passes the remaining text of each reply to the listener. `generate` calls this at the end of the batch."""
        for row in self._rows:
            row.flush()

    @property
    def replies(self) -> list[list[int]]:
        """The token ids of each reply, with its end token."""
        return [row.tokens for row in self._rows]


class TokenDecoder:
    """Decodes a reply token by token and passes the text to a listener.

    A character that consists of several tokens is passed on when it is complete.
    """

    def __init__(self, request: Request, tokenizer: "PreTrainedTokenizerBase", listener: ReplyListener) -> None:
        self.request = request
        self.tokens: list[int] = []  # with the end token
        self._tokenizer, self._listener = tokenizer, listener
        self._ended = False
        self._text: list[int] = []  # without the end token
        self._before = self._read = 0  # _text[before:read]: the last tokens passed on, context of the next piece

    def take(self, tokens: Sequence[int], stops: Collection[int]) -> None:
        """Takes the next tokens of the reply. Ignores tokens after an end token (an id in `stops`)."""
        for token in tokens:
            if self._ended:
                return
            self.tokens.append(token)
            self._ended = token in stops
            if not self._ended:
                self._text.append(token)
                self._pass_on(whole=True)

    def flush(self) -> None:
        """Passes the remaining text to the listener, at the end of the reply."""
        self._pass_on(whole=False)

    def _pass_on(self, whole: bool) -> None:
        """Passes new text to the listener. With `whole`, text that ends in an incomplete character is held back."""
        known, text = self._decoded(self._read), self._decoded(len(self._text))
        if len(text) > len(known) and not (whole and text.endswith("\N{REPLACEMENT CHARACTER}")):
            self._listener.said(self.request, text[len(known) :])
            self._before, self._read = self._read, len(self._text)

    def _decoded(self, end: int) -> str:
        return str(self._tokenizer.decode(self._text[self._before : end], skip_special_tokens=True))
