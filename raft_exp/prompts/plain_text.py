"""Prompt mode `plain_text`: passages one after another, then the question and what to write.

Passage 1: Velmor (paragraph 1)
Velmor is a town ...

Question: When was Velmor founded?
Answer in the form: ##Answer: {answer}

Title, place and question are single lines: white space in them is collapsed. Where a passage has no place and its title
ends in brackets, `read` returns the text in brackets as the place. It returns a place that contains brackets as a part
of the title.
"""

import re
from collections.abc import Sequence

from raft_exp.core.records import ContextPassage
from raft_exp.prompts.document import LONE_SURROGATES, Document, carried, one_line

FORBIDDEN = LONE_SURROGATES
# A backslash goes before a line of a document that looks like a heading of this mode; a line that begins with
# backslashes gets one more, so that `read` can undo the escape. A line begins after every character that some program
# takes for a line end.
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
    bracketed = f"({one_line(place)})" if place.strip() else ""
    heading = " ".join(filter(None, (f"Passage {number}:", one_line(title), bracketed)))
    return heading + "\n" + DELIMITER.sub(r"\\\1", text)


def read(text: str) -> Document:
    """The parts of the message."""
    question = _QUESTION.search(text)
    if not question:
        raise ValueError("not a plain_text prompt: it has no line that begins with 'Question: '")
    blocks = _PASSAGE.split(text[: question.start()])[1:]
    passages = [_passage_parts(block.removesuffix("\n\n")) for block in blocks]
    return Document(question[1], passages, text[question.end() :])


def _passage_parts(block: str) -> tuple[str, str, str]:
    heading, _, text = block.partition("\n")
    match = _HEADING.fullmatch(heading.strip())
    title, place = match.groups("") if match else (heading.strip(), "")
    return title, place, _ESCAPED.sub(r"\1", text)
