"""Replies while they are being written: the transformers engine tells each piece of text as it comes."""

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import torch
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from raft_exp.engines import Request


class ReplyListener(Protocol):
    """Whoever reads along."""

    def said(self, request: Request, text: str) -> None:
        """More of a reply."""

    def enough(self, request: Request, tokens: int) -> bool:
        """Whether a reply may end here, after so many tokens: nobody waits for it, or it is long enough."""


class StreamingCriteria(BaseStreamer, StoppingCriteria):  # type: ignore[misc]
    """What `generate` calls for every step of a batch: to ask which rows may end, and with the new tokens."""

    def __init__(
        self, batch: Sequence[Request], stops: Collection[int], tokenizer: Any, listener: ReplyListener
    ) -> None:
        self._rows = [TokenDecoder(request, tokenizer, listener) for request in batch]
        self._limits: list[int | None] = [None] * len(batch)  # tokens, of a row that was ended from outside
        self._stops, self._listener = frozenset(stops), listener
        self._steps = -1  # the prompts come first

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Which rows end here; asked before their last token is put."""
        steps = self._steps + 1
        for place, row in enumerate(self._rows):
            if self._limits[place] is None and self._listener.enough(row.request, steps):
                self._limits[place] = steps
        ended = [limit is not None for limit in self._limits]
        return torch.tensor(ended, dtype=torch.bool, device=input_ids.device)

    def put(self, value: Any) -> None:
        """Takes the tokens of a step."""
        self._steps += 1
        if not self._steps:
            return
        for row, limit, token in zip(self._rows, self._limits, value.tolist(), strict=True):
            if limit is None or self._steps <= limit:
                row.take([token], self._stops)

    def end(self) -> None:
        """Nothing more comes."""
        for row in self._rows:
            row.flush()

    @property
    def replies(self) -> list[list[int]]:
        """The tokens of each row, up to where it ended."""
        return [row.tokens for row in self._rows]


class TokenDecoder:
    """Turns the tokens of a reply into text: a character of several tokens comes when it is whole."""

    def __init__(self, request: Request, tokenizer: Any, listener: ReplyListener) -> None:
        self.request = request
        self.tokens: list[int] = []  # with the end token
        self._tokenizer, self._listener = tokenizer, listener
        self._ended = False
        self._text: list[int] = []  # without it
        self._before = self._read = 0  # _text[before:read] has been told, and says how what follows joins

    def take(self, tokens: Sequence[int], stops: Collection[int]) -> None:
        """More tokens; nothing counts behind an end token."""
        for token in tokens:
            if self._ended:
                return
            self.tokens.append(token)
            self._ended = token in stops
            if not self._ended:
                self._text.append(token)
                self._tell(whole=True)

    def flush(self) -> None:
        """Nothing more comes."""
        self._tell(whole=False)

    def _tell(self, whole: bool) -> None:
        known, text = self._decoded(self._read), self._decoded(len(self._text))
        if len(text) > len(known) and not (whole and text.endswith("\N{REPLACEMENT CHARACTER}")):
            self._listener.said(self.request, text[len(known) :])
            self._before, self._read = self._read, len(self._text)

    def _decoded(self, end: int) -> str:
        return str(self._tokenizer.decode(self._text[self._before : end], skip_special_tokens=True))
