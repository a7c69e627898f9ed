"""Prompt mode `plain_text`: passages one after another, then the question and what to write.

Passage 1: Velmor (paragraph 1)
Velmor is a town ...

Question: When was Velmor founded?
Answer in the form: ##Answer: {answer}
"""

import re
from collections.abc import Sequence

from raft_exp.records import ContextPassage

# A line of a document that looks like one of ours gets a backslash in front; lines that already have
# backslashes get one more, so that the escape can be undone.
_FORGED = re.compile(r"^(\\*(?:Passage \d+|Question):)", re.MULTILINE)


def render(question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
    """The whole user message."""
    blocks = [_passage(number, passage) for number, passage in enumerate(passages, start=1)]
    return "\n\n".join([*blocks, f"Question: {_one_line(question)}\n{instruction}"])


def _passage(number: int, passage: ContextPassage) -> str:
    place = f" ({_one_line(passage.place)})" if passage.place else ""
    text = _FORGED.sub(r"\\\1", passage.text)
    return f"Passage {number}: {_one_line(passage.title)}{place}\n{text}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
