"""Replies while they are being written: the transformers engine tells each piece of text as it comes."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from raft_exp.engines import Request


class Listener(Protocol):
    """Whoever reads along."""

    def said(self, request: Request, text: str) -> None:
        """More of a reply."""

    def enough(self, request: Request, tokens: int) -> bool:
        """Whether a reply may end here, after so many tokens: nobody waits for it, or it is long enough."""


class Watch(BaseStreamer, StoppingCriteria):  # type: ignore[misc]
    """What `generate` calls for every step of a batch: with the new tokens, and to ask which rows may end."""

    def __init__(self, batch: Sequence[Request], stops: Sequence[int], tokenizer: Any, listener: Listener) -> None:
        self._rows = [_Row(request, tokenizer, listener) for request in batch]
        self._stops, self._listener = frozenset(stops), listener
        self._steps = 0
        self._prompted = False

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Which rows end here; asked before their last token is put."""
        self._steps += 1
        for row in self._rows:
            if row.limit is None and self._listener.enough(row.request, self._steps):
                row.limit = self._steps
        ended = [row.limit is not None for row in self._rows]
        return torch.tensor(ended, dtype=torch.bool, device=input_ids.device)

    def put(self, value: Any) -> None:
        """Takes the tokens of a step; the prompts come first."""
        if not self._prompted:
            self._prompted = True
            return
        for row, token in zip(self._rows, value.tolist(), strict=True):
            if token in self._stops:
                row.ended = True
            if not row.ended and (row.limit is None or self._steps <= row.limit):
                row.add(token)

    def end(self) -> None:
        """Nothing more comes."""
        for row in self._rows:
            row.flush()

    def cut(self, place: int, reply: list[int]) -> list[int]:
        """A row's tokens without what stands behind the place where it was ended."""
        return reply[: self._rows[place].limit]


class _Row:
    """Turns tokens into text: a character of several tokens comes when it is whole."""

    def __init__(self, request: Request, tokenizer: Any, listener: Listener) -> None:
        self.request = request
        self.limit: int | None = None  # tokens, where it was ended from outside
        self.ended = False
        self._tokenizer, self._listener = tokenizer, listener
        self._tokens: list[int] = []
        self._before = self._read = 0  # the text of tokens[before:read] has been told, and says how the next one joins

    def add(self, token: int) -> None:
        self._tokens.append(token)
        self._tell(whole=True)

    def flush(self) -> None:
        self._tell(whole=False)

    def _tell(self, whole: bool) -> None:
        known, text = self._text(self._before, self._read), self._text(self._before, len(self._tokens))
        if len(text) > len(known) and not (whole and text.endswith("\N{REPLACEMENT CHARACTER}")):
            self._listener.said(self.request, text[len(known) :])
            self._before, self._read = self._read, len(self._tokens)

    def _text(self, start: int, end: int) -> str:
        return str(self._tokenizer.decode(self._tokens[start:end], skip_special_tokens=True))
