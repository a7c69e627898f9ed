"""Reads Markdown (markdown-it-py): sections by headings, tables by rows; other text keeps its markup."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from raft_exp.corpora.readers.documents import tables
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Outline

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"---\n(.*?)\n(?:---|\.\.\.)(?:\n|$)", re.DOTALL)
_TITLE = re.compile(r"""^title:\s*(['"]?)(.+?)\1\s*$""", re.MULTILINE)


def read(data: bytes) -> Document:
    """Reads a file. `decode` determines the encoding and gives the warnings."""
    text, warnings = decode(data)
    document = read_text(text)
    return Document(document.title, document.parts, warnings)


def read_text(text: str) -> Document:
    """Reads Markdown text. The title is that of the front matter, else the first heading.

    Only headings outside of lists, quotations and code blocks begin a section.
    """
    from markdown_it import MarkdownIt

    front = _FRONT_MATTER.match(text)
    text = text[front.end() :] if front else text
    lines: list[str | None] = [*text.split("\n")]
    outline, written = Outline(), 0
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for start, end, rows in _tables(tokens):
        lines[start:end] = [*rows, *[None] * (end - start - len(rows))]
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            start, end = token.map
            outline.block(_joined(lines[written:start]))
            outline.heading(int(token.tag[1:]), _plain(inline), _joined(lines[start:end]).strip("\n"))
            written = end
    outline.block(_joined(lines[written:]))
    title = _TITLE.search(front[1]) if front else None
    return Document(title[2] if title else outline.first, outline.parts())


def _joined(lines: Sequence[str | None]) -> str:
    """Joins the lines of a text. None stands for lines of a table that are not rows."""
    return "\n".join(line for line in lines if line is not None)


def _tables(tokens: "Sequence[Token]") -> "Iterator[tuple[int, int, list[str]]]":
    """Yields the tables outside of lists and quotations: first line, end line (exclusive), and rows as text."""
    start, rows = -1, list[list[str]]()
    for token in tokens:
        if token.type == "table_open" and token.level == 0 and token.map:
            start, rows = token.map[0], []
        elif start >= 0 and token.type == "tr_open":
            rows.append([])
        elif start >= 0 and token.type == "inline" and rows:
            rows[-1].append(" ".join(token.content.split()))
        elif start >= 0 and token.type == "table_close":
            end = start + len(rows) + 1  # and the line below the names
            yield start, end, tables.lines(rows, header=1)
            start = -1


def _plain(inline: object) -> str:
    """Returns the text of a heading without emphasis and link markup."""
    children = getattr(inline, "children", None) or []
    return "".join(
        child.content if child.type in ("text", "code_inline") else " " * (child.type == "softbreak")
        for child in children
    )
