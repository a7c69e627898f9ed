"""Prompt mode `json`: {"passages": [{"title", "place", "text"}], "question", "instruction"}.

A missing title or place is left out, and so is an empty list of passages. Only lone surrogates are lost.
"""

import json
import re
from collections.abc import Sequence

from raft_exp.core.records import ContextPassage
from raft_exp.prompts.document import LONE_SURROGATES, Document, as_mapping, carried, from_mapping

FORBIDDEN = LONE_SURROGATES
DELIMITER = re.compile(r'"(?:passages|title|place|text|question|instruction)"\s*:')


def render(question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
    """The whole user message."""
    return json.dumps(as_mapping(carried(question, passages, instruction, FORBIDDEN)), ensure_ascii=False, indent=2)


def read(text: str) -> Document:
    """The parts of the message."""
    return from_mapping(json.loads(text))
