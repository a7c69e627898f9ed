"""The content of a user message, the interface of prompt modes, and helper functions of the modes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NotRequired, Protocol, TypedDict

from pydantic import model_validator

from raft_exp.core.records import ContextPassage
from raft_exp.core.schema import config_dataclass
from raft_exp.core.scripts import MARKS

_WORDS = re.compile(rf"[^\W\d_][\w{MARKS}]*(?: [^\W\d_][\w{MARKS}]*)*")
LONE_SURROGATES = re.compile(r"[\ud800-\udfff]")  # no tokenizer and no UTF-8 file can encode them
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Document:
    """The parts of a user message. A missing title or place of a passage is ""."""

    question: str
    passages: list[tuple[str, str, str]] = field(default_factory=list)  # (title, place, text), in their order
    instruction: str = ""


@config_dataclass
class Headings:
    """The headings of the prompt modes plain_text and markdown, in the language of the prompt.

    The keys of yaml, xml and json and the markers of replies are fixed names, which are not translated.
    """

    passage: str = "Passage"  # before a number
    question: str = "Question"  # before the question
    instruction: str = "Instruction"  # before the request, in markdown
    title: str = "Title"  # before the title of a passage, in markdown
    place: str = "Place"  # before the place of a passage, in markdown

    @model_validator(mode="after")
    def _are_words(self) -> "Headings":
        names = [self.passage, self.question, self.instruction, self.title, self.place]
        for name in names:
            if not _WORDS.fullmatch(name):
                raise ValueError(f"prompt.headings: got {name!r}; use letters, with single spaces between words")
        if len(set(names)) < len(names):
            raise ValueError(f"prompt.headings: got {names}; all five headings must be different")
        return self


ENGLISH = Headings()


class PromptMapping(TypedDict):
    """A document as a JSON or YAML mapping."""

    passages: NotRequired[list[dict[str, str]]]  # text, and title and place if the passage has them
    question: str
    instruction: str


class Mode(Protocol):
    """The interface of a prompt mode, which is a module or an object."""

    @property
    def FORBIDDEN(self) -> re.Pattern[str]:  # noqa: N802
        """Characters that the mode cannot represent; `render` replaces them by U+FFFD."""

    @property
    def DELIMITER(self) -> re.Pattern[str]:  # noqa: N802
        """Text of a document that looks like the mode's own syntax; `render` escapes or quotes it."""

    def render(self, question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
        """Returns the whole user message: one well-formed document of the mode, for every input."""

    def read(self, text: str) -> Document:
        """Parses a user message into the arguments of `render`.

        The docstring of a mode's module lists what the mode cannot restore. Only messages of `render` are valid: other
        text raises ValueError, KeyError, TypeError or an error of the format's parser, or gives a wrong Document.
        """


def carried(
    question: str, passages: Sequence[ContextPassage], instruction: str, forbidden: re.Pattern[str]
) -> Document:
    """Returns the parts of a message as a Document, with U+FFFD for each character that matches `forbidden`."""

    def clean(text: str) -> str:
        return forbidden.sub(REPLACEMENT, text)

    whole = [(clean(passage.title), clean(passage.place), clean(passage.text)) for passage in passages]
    return Document(clean(question), whole, clean(instruction))


def one_line(text: str) -> str:
    """Replaces each run of white space by one space, and removes white space at both ends."""
    return " ".join(text.split())


def as_mapping(document: Document) -> PromptMapping:
    """Returns a document as a mapping, in the order passages, question, instruction.

    Empty titles, empty places and an empty list of passages are left out.
    """
    passages = [
        {name: part for name, part in (("title", title), ("place", place)) if part} | {"text": text}
        for title, place, text in document.passages
    ]
    request: PromptMapping = {"question": document.question, "instruction": document.instruction}
    return {"passages": passages, **request} if passages else request


def from_mapping(mapping: PromptMapping) -> Document:
    """Returns the document of a mapping: the inverse of `as_mapping`."""
    passages = [
        (passage.get("title", ""), passage.get("place", ""), passage["text"]) for passage in mapping.get("passages", [])
    ]
    return Document(mapping["question"], passages, mapping["instruction"])
