"""The content of a user message independent of its prompt mode, the interface of a mode, and helpers for modes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NotRequired, Protocol, TypedDict

from raft_exp.core.records import ContextPassage

LONE_SURROGATES = re.compile(r"[\ud800-\udfff]")  # no tokenizer and no UTF-8 file can encode them
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Document:
    """The parts of a user message. A title or place that a passage lacks is ""."""

    question: str
    passages: list[tuple[str, str, str]] = field(default_factory=list)  # (title, place, text), in their order
    instruction: str = ""


class PromptMapping(TypedDict):
    """A document in the form of a JSON or YAML mapping."""

    passages: NotRequired[list[dict[str, str]]]  # title and place where the passage has them, and text
    question: str
    instruction: str


class Mode(Protocol):
    """A prompt mode: a module with these names."""

    FORBIDDEN: re.Pattern[str]  # characters that the mode cannot hold; they become U+FFFD
    DELIMITER: re.Pattern[str]  # text of a document that looks like the mode's own marks; `render` escapes it

    def render(self, question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
        """The whole user message: one well-formed document of the mode, for every input."""

    def read(self, text: str) -> Document:
        """The arguments of `render`, but for what the mode loses (listed in the module's docstring).

        Text of another form raises ValueError, or the error of the format's own parser.
        """


def carried(
    question: str, passages: Sequence[ContextPassage], instruction: str, forbidden: re.Pattern[str]
) -> Document:
    """The parts of a message, with U+FFFD in place of the characters that match `forbidden`."""

    def clean(text: str) -> str:
        return forbidden.sub(REPLACEMENT, text)

    whole = [(clean(passage.title), clean(passage.place), clean(passage.text)) for passage in passages]
    return Document(clean(question), whole, clean(instruction))


def one_line(text: str) -> str:
    """The text with each run of white space replaced by one space."""
    return " ".join(text.split())


def as_mapping(document: Document) -> PromptMapping:
    """The mapping of a document, in the order passages, question, instruction; empty parts of passages and an empty
    list of passages are left out.
    """
    passages = [
        {name: part for name, part in (("title", title), ("place", place)) if part} | {"text": text}
        for title, place, text in document.passages
    ]
    request: PromptMapping = {"question": document.question, "instruction": document.instruction}
    return {"passages": passages, **request} if passages else request


def from_mapping(mapping: PromptMapping) -> Document:
    """The inverse of `as_mapping`."""
    passages = [
        (passage.get("title", ""), passage.get("place", ""), passage["text"]) for passage in mapping.get("passages", [])
    ]
    return Document(mapping["question"], passages, mapping["instruction"])
