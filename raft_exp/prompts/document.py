"""The content of a user message independent of its prompt mode, the interface of a mode, and helpers for modes."""

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
    """The parts of a user message. A title or place that a passage lacks is ""."""

    question: str
    passages: list[tuple[str, str, str]] = field(default_factory=list)  # (title, place, text), in their order
    instruction: str = ""


@config_dataclass
class Headings:
    """The headings of the modes that write them as words (plain_text, markdown), in the language of the prompt.

    The names of yaml, xml and json are parts of a format, as the markers of replies are: they stay.
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
                raise ValueError(f"prompt.headings: got {name!r}; give letters, and blanks between words")
        if len(set(names)) < len(names):
            raise ValueError(f"prompt.headings: got {names}; give each part a heading of its own")
        return self


ENGLISH = Headings()


class PromptMapping(TypedDict):
    """A document in the form of a JSON or YAML mapping."""

    passages: NotRequired[list[dict[str, str]]]  # title and place where the passage has them, and text
    question: str
    instruction: str


class Mode(Protocol):
    """A prompt mode: a module, or an object, with these names."""

    @property
    def FORBIDDEN(self) -> re.Pattern[str]:  # noqa: N802
        """Characters that the mode cannot hold; they become U+FFFD."""

    @property
    def DELIMITER(self) -> re.Pattern[str]:  # noqa: N802
        """Text of a document that looks like the mode's own marks; `render` escapes it."""

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
