"""Prompt mode `xml`: <prompt>, <passages>, <passage>, <title>, <place>, <text>, <question>, <instruction>.

A missing title, a missing place and an empty <passages> are left out. `read` restores all but characters that XML 1.0
forbids.
"""

import re
from collections.abc import Sequence
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from raft_exp.core.records import ContextPassage
from raft_exp.prompts.document import Document, carried

FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2
DELIMITER = re.compile(r"</?(?:prompt|passages?|title|place|text|question|instruction)>")


def render(question: str, passages: Sequence[ContextPassage], instruction: str) -> str:
    """Returns the whole user message (`Mode.render`)."""
    shown = carried(question, passages, instruction, FORBIDDEN)
    lines = [line for passage in shown.passages for line in _passage(*passage)]
    if lines:
        lines = ["<passages>", *lines, "</passages>"]
    lines += [_element("question", shown.question), _element("instruction", shown.instruction)]
    return "\n".join(["<prompt>", *lines, "</prompt>"])


def _passage(title: str, place: str, text: str) -> list[str]:
    parts = [_element(name, part) for name, part in (("title", title), ("place", place)) if part]
    return ["<passage>", *parts, _element("text", text), "</passage>"]


def _element(name: str, text: str) -> str:
    # a parser would read an unescaped carriage return as a line feed
    return f"<{name}>{escape(text, {chr(13): '&#13;'})}</{name}>"


def read(text: str) -> Document:
    """Parses a user message (`Mode.read`)."""
    root = ElementTree.fromstring(text)
    passages = [
        (passage.findtext("title", ""), passage.findtext("place", ""), passage.findtext("text", ""))
        for passage in root.iterfind("passages/passage")
    ]
    return Document(root.findtext("question", ""), passages, root.findtext("instruction", ""))
