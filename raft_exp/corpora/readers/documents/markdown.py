"""Reads Markdown: sections by headings (markdown-it-py); the text keeps its markup."""

import re
from itertools import pairwise

from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Outline

_FRONT_MATTER = re.compile(r"---\n(.*?)\n(?:---|\.\.\.)(?:\n|$)", re.DOTALL)
_TITLE = re.compile(r"""^title:\s*(['"]?)(.+?)\1\s*$""", re.MULTILINE)


def read(data: bytes) -> Document:
    """Reads a document."""
    text, warnings = decode(data)
    document = read_text(text)
    return Document(document.title, document.parts, warnings)


def read_text(text: str) -> Document:
    """Reads a text; headings inside code blocks are text."""
    from markdown_it import MarkdownIt

    front = _FRONT_MATTER.match(text)
    text = text[front.end() :] if front else text
    lines = text.split("\n")
    outline, written = Outline(), 0
    tokens = MarkdownIt("commonmark").parse(text)
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            start, end = token.map
            outline.block("\n".join(lines[written:start]))
            outline.heading(int(token.tag[1:]), _plain(inline), "\n".join(lines[start:end]).strip("\n"))
            written = end
    outline.block("\n".join(lines[written:]))
    title = _TITLE.search(front[1]) if front else None
    return Document(title[2] if title else outline.first, outline.parts())


def _plain(inline: object) -> str:
    """The text of a heading without emphasis and link markup."""
    children = getattr(inline, "children", None) or []
    return "".join(
        child.content if child.type in ("text", "code_inline") else " " * (child.type == "softbreak")
        for child in children
    )
