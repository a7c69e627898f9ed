"""Splits a streamed reply into reason, quotes and answer."""

from collections.abc import Iterator
from typing import Literal

from raft_exp.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE, REASON, ReplyFormat

Kind = Literal["reason", "quote", "answer"]
_AFTER: dict[str, Kind] = {REASON: "reason", ANSWER: "answer", BEGIN_QUOTE: "quote", END_QUOTE: "reason"}


class ReplySplitter:
    """Converts the pieces of a reply into pairs (kind, text), and removes the markers.

    Text that may be the beginning of a marker is held back until the next piece. A JSON reply has no markers: all of
    its text is of the kind `reason`.
    """

    def __init__(self, reply_format: ReplyFormat) -> None:
        self._markers = _AFTER if reply_format == "paper" else {}
        self._kind: Kind = "reason"
        self._held = ""
        self._begun = False  # white space after a marker is dropped

    def feed(self, piece: str) -> Iterator[tuple[Kind, str]]:
        """Adds a piece; yields the text whose kind is certain."""
        self._held += piece
        while match := self._next_marker():
            place, marker = match
            yield from self._text(self._held[:place].rstrip())
            self._held, self._kind, self._begun = self._held[place + len(marker) :], self._markers[marker], False
            if marker == END_QUOTE:  # a space between two quotes
                yield "reason", " "
        keep = max(
            (size for marker in self._markers for size in range(1, len(marker)) if self._held.endswith(marker[:size])),
            default=0,
        )
        text = self._held[: len(self._held) - keep]
        trailing = len(text) - len(text.rstrip())  # held back: white space before a marker is dropped
        text, self._held = text[: len(text) - trailing], self._held[len(text) - trailing :]
        yield from self._text(text)

    def end(self) -> Iterator[tuple[Kind, str]]:
        """Yields the text that was held back."""
        text, self._held = self._held, ""
        yield from self._text(text.rstrip())

    def _next_marker(self) -> tuple[int, str] | None:
        places = [(self._held.find(marker), marker) for marker in self._markers]
        return min((match for match in places if match[0] >= 0), default=None)

    def _text(self, text: str) -> Iterator[tuple[Kind, str]]:
        text = text if self._begun else text.lstrip()
        if text:
            self._begun = True
            yield self._kind, text
