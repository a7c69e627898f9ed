"""A reply while it is being written: reason, quotes and answer told apart as they come."""

from collections.abc import Iterator
from typing import Literal

from raft_exp.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE, REASON, ReplyFormat

Kind = Literal["reason", "quote", "answer"]
_AFTER: dict[str, Kind] = {REASON: "reason", ANSWER: "answer", BEGIN_QUOTE: "quote", END_QUOTE: "reason"}


class ReplySplitter:
    """Takes pieces of a reply and gives (kind, text), without the markers, at once but for what may become a marker.

    A reply in JSON has none: it comes as reason, and its answer is known at the end.
    """

    def __init__(self, reply_format: ReplyFormat) -> None:
        self._markers = _AFTER if reply_format == "paper" else {}
        self._kind: Kind = "reason"
        self._held = ""
        self._begun = False  # white space behind a marker is not text

    def feed(self, piece: str) -> Iterator[tuple[Kind, str]]:
        """What is certain with this piece."""
        self._held += piece
        while found := self._next():
            place, marker = found
            yield from self._said(self._held[:place].rstrip())
            self._held, self._kind, self._begun = self._held[place + len(marker) :], self._markers[marker], False
            if marker == END_QUOTE:  # two quotes never run into each other
                yield "reason", " "
        keep = max(
            (size for marker in self._markers for size in range(1, len(marker)) if self._held.endswith(marker[:size])),
            default=0,
        )
        text = self._held[: len(self._held) - keep]
        trailing = len(text) - len(text.rstrip())  # not before a marker either
        text, self._held = text[: len(text) - trailing], self._held[len(text) - trailing :]
        yield from self._said(text)

    def end(self) -> Iterator[tuple[Kind, str]]:
        """What was held back."""
        text, self._held = self._held, ""
        yield from self._said(text.rstrip())

    def _next(self) -> tuple[int, str] | None:
        places = [(self._held.find(marker), marker) for marker in self._markers]
        return min((found for found in places if found[0] >= 0), default=None)

    def _said(self, text: str) -> Iterator[tuple[Kind, str]]:
        text = text if self._begun else text.lstrip()
        if text:
            self._begun = True
            yield self._kind, text
