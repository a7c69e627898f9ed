"""Prompt mode `yaml`: a mapping of passages (each with title, place, text), question and instruction.

passages:
- title: "Velmor"
  place: "paragraph 1"
  text: |-
    Velmor is a town ...
question: |-
  When was Velmor founded?
instruction: |-
  Answer in the form: ##Answer: {answer}

A missing title, a missing place and an empty list of passages are left out. `read` restores all but lone surrogates.
Every scalar is a literal block or in double quotes, which YAML 1.1 and YAML 1.2 parse in the same way.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

import yaml

from raft_exp.core.records import ContextPassage
from raft_exp.prompts.document import LONE_SURROGATES, Document, as_mapping, carried, from_mapping

FORBIDDEN = LONE_SURROGATES
DELIMITER = re.compile(r"^[ -]*(?:passages|title|place|text|question|instruction):", re.MULTILINE)
# Text that a literal block preserves: printable characters, no line end but \n, no white space at either end.
_LITERAL = re.compile(
    r"(?!\s)[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]+(?<!\s)"
)
# Characters that `json.dumps` does not escape, and that YAML forbids inside quotes or reads as a line end.
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def render(question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
    """Returns the whole user message (`Mode.render`)."""
    return "\n".join(_document(carried(question, passages, instruction, FORBIDDEN)))


def read(text: str) -> Document:
    """Parses a user message (`Mode.read`)."""
    return from_mapping(yaml.safe_load(text))


def _document(document: Document) -> Iterator[str]:
    mapping = as_mapping(document)
    if "passages" in mapping:
        yield "passages:"
        yield from (line for passage in mapping["passages"] for line in _item(passage))
    yield from _scalar("question", mapping["question"])
    yield from _scalar("instruction", mapping["instruction"])


def _item(passage: Mapping[str, str]) -> Iterator[str]:
    lines = (line for name, value in passage.items() for line in _scalar(name, value))
    for number, line in enumerate(lines):
        indented = f"  {line}" if line else ""
        yield indented if number else f"- {line}"


def _scalar(name: str, value: str) -> Iterator[str]:
    """Yields the lines of a scalar: a literal block if it preserves the text exactly, else a quoted string.

    Titles and places are always quoted.
    """
    if name in ("title", "place") or not _LITERAL.fullmatch(value):
        yield f"{name}: {_quoted(value)}"
        return
    yield f"{name}: |-"
    yield from (f"  {line}" if line else "" for line in value.split("\n"))


def _quoted(text: str) -> str:
    """Returns a text as a JSON string, with the additional escapes that make it a YAML string."""
    return _UNPRINTABLE.sub(lambda character: f"\\u{ord(character[0]):04x}", json.dumps(text, ensure_ascii=False))
