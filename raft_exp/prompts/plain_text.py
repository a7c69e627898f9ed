"""Prompt mode `plain_text`: passages one after another, then the question and what to write.

Passage 1: Velmor (paragraph 1)
Velmor is a town ...

Question: When was Velmor founded?
Answer in the form: ##Answer: {answer}

Title, place and question are lines: white space in them is collapsed. Where a heading has no place, but a title that
ends in brackets, `read` takes what stands in them for the place; a place with brackets in it, for a part of the title.
"""

import re
from collections.abc import Sequence

from raft_exp.core.records import ContextPassage
from raft_exp.prompts.document import LONE_SURROGATES, Document, carried, one_line

FORBIDDEN = LONE_SURROGATES
# A line of a document that looks like one of ours gets a backslash in front; lines that already have
# backslashes get one more, so that the escape can be undone. Lines begin wherever some program would begin one.
_LINE = r"(?:^|(?<=[\r\v\f\x1c-\x1e\x85\u2028\u2029]))"
DELIMITER = re.compile(_LINE + r"(\\*(?:Passage \d+|Question):)", re.MULTILINE)
_ESCAPED = re.compile(_LINE + r"\\(\\*(?:Passage \d+|Question):)", re.MULTILINE)
_QUESTION = re.compile(r"^Question: (.*)\n", re.MULTILINE)
_PASSAGE = re.compile(r"^Passage \d+:", re.MULTILINE)
_HEADING = re.compile(r"(.*?)(?:(?:^| )\(([^()]*)\))?")


def render(question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
    """The whole user message."""
    shown = carried(question, passages, instruction, FORBIDDEN)
    blocks = [_passage(number, *passage) for number, passage in enumerate(shown.passages, start=1)]
    return "\n\n".join([*blocks, f"Question: {one_line(shown.question)}\n{shown.instruction}"])


def _passage(number: int, title: str, place: str, text: str) -> str:
    marked = f"({one_line(place)})" if place.strip() else ""
    heading = " ".join(filter(None, (f"Passage {number}:", one_line(title), marked)))
    return heading + "\n" + DELIMITER.sub(r"\\\1", text)


def read(text: str) -> Document:
    """The message taken apart."""
    asked = _QUESTION.search(text)
    if not asked:
        raise ValueError("not a plain_text prompt: it has no line that begins with 'Question: '")
    blocks = _PASSAGE.split(text[: asked.start()])[1:]
    return Document(asked[1], [_taken_apart(block.removesuffix("\n\n")) for block in blocks], text[asked.end() :])


def _taken_apart(block: str) -> tuple[str, str, str]:
    heading, _, text = block.partition("\n")
    found = _HEADING.fullmatch(heading.strip())
    title, place = found.groups("") if found else (heading.strip(), "")
    return title, place, _ESCAPED.sub(r"\1", text)
