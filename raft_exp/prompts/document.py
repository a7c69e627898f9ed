"""What a user message says, whatever its mode, and what every mode does to the characters it cannot carry."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from raft_exp.core.records import ContextPassage

LONE_SURROGATES = re.compile(r"[\ud800-\udfff]")  # halves of a character: no tokenizer and no UTF-8 file takes them
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Document:
    """A user message taken apart. What a passage lacks is ""."""

    question: str
    passages: list[tuple[str, str, str]] = field(default_factory=list)  # (title, place, text), in their order
    instruction: str = ""


class Mode(Protocol):
    """A prompt mode: a module with these names."""

    FORBIDDEN: re.Pattern[str]  # characters that the mode cannot carry; they become U+FFFD
    DELIMITER: re.Pattern[str]  # text that would look like the mode's own marks; the mode makes it harmless

    def render(self, question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
        """The whole user message: one document of the mode, well-formed for every input."""

    def read(self, text: str) -> Document:
        """What `render` was given, as far as the mode can say it (the module's docstring names what is lost)."""


def carried(
    question: str, passages: Sequence[ContextPassage], instruction: str, forbidden: re.Pattern[str]
) -> Document:
    """The parts of a message without the characters that its mode cannot carry."""

    def clean(text: str) -> str:
        return forbidden.sub(REPLACEMENT, text)

    whole = [(clean(passage.title), clean(passage.place), clean(passage.text)) for passage in passages]
    return Document(clean(question), whole, clean(instruction))


def one_line(text: str) -> str:
    """The text with every run of white space made one space."""
    return " ".join(text.split())


def as_mapping(document: Document) -> dict[str, Any]:
    """{passages: [{title, place, text}], question, instruction}; empty titles, places and lists are left out."""
    passages = [
        {name: part for name, part in (("title", title), ("place", place)) if part} | {"text": text}
        for title, place, text in document.passages
    ]
    asked = {"question": document.question, "instruction": document.instruction}
    return {"passages": passages, **asked} if passages else asked


def from_mapping(mapping: dict[str, Any]) -> Document:
    """The document that `as_mapping` was given."""
    passages = [
        (passage.get("title", ""), passage.get("place", ""), passage["text"]) for passage in mapping.get("passages", [])
    ]
    return Document(mapping["question"], passages, mapping["instruction"])
