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

What a passage lacks is left out; so are the passages where there are none. Only lone surrogates are lost. Every scalar
is a literal block or in double quotes, which YAML 1.1 and 1.2 read alike.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from raft_exp.core.records import ContextPassage
from raft_exp.prompts.document import LONE_SURROGATES, Document, as_mapping, carried, from_mapping

FORBIDDEN = LONE_SURROGATES
DELIMITER = re.compile(r"^[ -]*(?:passages|title|place|text|question|instruction):", re.MULTILINE)
# What a literal block gives back as it is: printable characters, no other line end than \n, ink at both ends.
_LITERAL = re.compile(
    r"(?!\s)[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]+(?<!\s)"
)
# What JSON leaves as it is and YAML does not take inside quotes, or takes for a line end.
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def render(question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
    """The whole user message."""
    return "\n".join(_mapping(as_mapping(carried(question, passages, instruction, FORBIDDEN))))


def read(text: str) -> Document:
    """The message taken apart."""
    return from_mapping(yaml.safe_load(text))


def _mapping(values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, list):
            yield f"{name}:"
            yield from (line for passage in value for line in _item(passage))
        else:
            yield from _scalar(name, value)


def _item(passage: dict[str, Any]) -> Iterator[str]:
    for number, line in enumerate(_mapping(passage)):
        indented = f"  {line}" if line else ""
        yield indented if number else f"- {line}"


def _scalar(name: str, value: str) -> Iterator[str]:
    """Text in a literal block where that loses nothing, all else in quotes."""
    if name in ("title", "place") or not _LITERAL.fullmatch(value):
        yield f"{name}: {_quoted(value)}"
        return
    yield f"{name}: |-"
    yield from (f"  {line}" if line else "" for line in value.split("\n"))


def _quoted(text: str) -> str:
    """JSON's quoting, which is YAML's too but for a few characters."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
