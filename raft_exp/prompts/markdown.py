"""Prompt mode `markdown`: headings for the parts, and block quotes for the text of documents and the question.

## Passage 1

Title: Velmor
Place: paragraph 1

> Velmor is a town ...

## Question

> When was Velmor founded?

## Instruction

Answer in the form: ##Answer: {answer}

A block quote cannot hold a heading of this mode, so that nothing has to be escaped. Title and place are single lines:
white space in them is collapsed. Every line end becomes a line feed, as in Markdown itself. The instruction comes last,
unchanged.
"""

import re
from collections.abc import Iterator, Sequence

from raft_exp.core.records import ContextPassage
from raft_exp.prompts.document import LONE_SURROGATES, Document, carried, one_line

FORBIDDEN = re.compile(LONE_SURROGATES.pattern + r"|\0")  # CommonMark, section 2.3
DELIMITER = re.compile(r"^ {0,3}#{1,6} +(?:Passage \d+|Question|Instruction)\b", re.MULTILINE)
_INSTRUCTION = "## Instruction\n\n"


def render(question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
    """The whole user message."""
    shown = carried(question, passages, instruction, FORBIDDEN)
    blocks = [block for number, passage in enumerate(shown.passages, start=1) for block in _passage(number, *passage)]
    blocks += ["## Question", _quoted(shown.question)]
    return "".join(f"{block}\n\n" for block in blocks if block) + _INSTRUCTION + shown.instruction


def _passage(number: int, title: str, place: str, text: str) -> Iterator[str]:
    yield f"## Passage {number}"
    facts = (("Title", one_line(title)), ("Place", one_line(place)))
    yield "\n".join(f"{name}: {value}" for name, value in facts if value)
    yield _quoted(text)


def _quoted(text: str) -> str:
    lines = re.split("\r\n|\r|\n", text) if text else []
    return "\n".join(f"> {line}" if line else ">" for line in lines)


def read(text: str) -> Document:
    """The parts of the message."""
    # text from documents is quoted: only lines of `render` are empty or begin with another sign than ">"
    body, heading, instruction = text.partition(f"\n\n{_INSTRUCTION}")
    if not heading:
        raise ValueError("not a markdown prompt: it has no heading 'Instruction'")
    *passages, question = re.split("^## ", body, flags=re.MULTILINE)[1:]
    return Document(_unquoted(question), [_passage_parts(passage) for passage in passages], instruction)


def _passage_parts(section: str) -> tuple[str, str, str]:
    facts = dict(line.split(": ", 1) for line in section.split("\n")[1:] if line and not line.startswith(">"))
    return facts.get("Title", ""), facts.get("Place", ""), _unquoted(section)


def _unquoted(section: str) -> str:
    return "\n".join(line[2:] for line in section.split("\n") if line.startswith(">"))
