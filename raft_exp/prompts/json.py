"""Prompt mode `json`: {"passages": [{"title", "place", "text"}], "question", "instruction"}.

A missing title, a missing place and an empty list of passages are left out. `read` restores all but lone surrogates.
"""

import json
import re
from collections.abc import Sequence

from raft_exp.core.records import ContextPassage
from raft_exp.prompts.document import LONE_SURROGATES, Document, as_mapping, carried, from_mapping

FORBIDDEN = LONE_SURROGATES
DELIMITER = re.compile(r'"(?:passages|title|place|text|question|instruction)"\s*:')


def render(question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
    """Returns the whole user message (`Mode.render`)."""
    return json.dumps(as_mapping(carried(question, passages, instruction, FORBIDDEN)), ensure_ascii=False, indent=2)


def read(text: str) -> Document:
    """Parses a user message (`Mode.read`)."""
    return from_mapping(json.loads(text))
