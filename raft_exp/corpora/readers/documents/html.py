"""Reads HTML (beautifulsoup4, html.parser): the visible text, without navigation, in sections by headings."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Outline

if TYPE_CHECKING:
    from bs4.element import PageElement, Tag

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_UNSEEN = {"script", "style", "template", "noscript", "head", "nav", "svg", "iframe", "object", "select", "button"}
_LINES = {"li", "tr", "dt", "dd", "option"}
_BLOCKS = _LINES | {
    "p",
    "div",
    "section",
    "article",
    "main",
    "aside",
    "header",
    "footer",
    "ul",
    "ol",
    "dl",
    "table",
    "thead",
    "tbody",
    "caption",
    "pre",
    "blockquote",
    "figure",
    "figcaption",
    "address",
    "form",
    "fieldset",
    "hr",
    "details",
    "summary",
}
_CHARSET = re.compile(rb"""<(?:meta[^>]{0,200}charset\s*=|\?xml[^>]{0,200}encoding\s*=)\s*["']?([\w.:-]{1,40})""", re.I)


def read(data: bytes) -> Document:
    """Walks the tree with a stack: deep nesting must not exhaust recursion."""
    from bs4 import BeautifulSoup
    from bs4.element import NavigableString, Tag

    declared = _CHARSET.search(data[:4096])
    text, warnings = decode(data, declared[1].decode() if declared else "")
    tree = BeautifulSoup(text, "html.parser")
    page = _Page()
    for tag, ends in _events(tree):
        if isinstance(tag, Tag):
            page.tag(tag.name, ends)
        elif type(tag) is NavigableString:  # not a subclass: comments, doctypes
            page.text(str(tag))
    page.flush()
    title = tree.find("title")
    named = " ".join(title.get_text().split()) if title else ""
    return Document(named or page.outline.first, page.outline.parts(), warnings)


def _events(tree: "Tag") -> "Iterator[tuple[PageElement, bool]]":
    """Yields (node, False) at the start of each visible node, and (tag, True) at the end of each tag."""
    from bs4.element import Tag

    waiting: list[tuple[PageElement, bool]] = [(node, False) for node in reversed(tree.contents)]
    while waiting:
        node, ends = waiting.pop()
        if not isinstance(node, Tag) or ends:
            yield node, ends
        elif node.name not in _UNSEEN and not _hidden(node):
            yield node, False
            waiting.append((node, True))
            waiting.extend((inner, False) for inner in reversed(node.contents))


def _hidden(tag: "Tag") -> bool:
    style = str(tag.get("style", "")).replace(" ", "").lower()
    return tag.has_attr("hidden") or "display:none" in style


class _Page:
    """Collects text until a block begins or ends. The cells of a table row are one line, whatever they hold."""

    def __init__(self) -> None:
        self.outline = Outline()
        self._pieces: list[str] = []
        self._cells = 0  # open table cells
        self._verbatim = 0  # open <pre>
        self._separator = "\n\n"

    def tag(self, name: str, ends: bool) -> None:
        """Handles the start or the end of a tag."""
        if name in _HEADINGS:
            self._heading(_HEADINGS[name], ends)
        elif name in ("td", "th"):
            self._pieces.append("" if ends else " | ")
            self._cells = max(0, self._cells + (-1 if ends else 1))
        elif name == "br":
            self._pieces.append(" " if self._cells else "\n")
        elif name in _BLOCKS and (not self._cells or name == "tr"):
            self.flush()
            self._separator = "\n" if name in _LINES and not ends else "\n\n"
            self._verbatim = max(0, self._verbatim + (-1 if ends else 1)) if name == "pre" else self._verbatim
        elif name in _BLOCKS:
            self._pieces.append(" ")

    def text(self, text: str) -> None:
        """Handles a text node."""
        self._pieces.append(text if self._verbatim else re.sub(r"\s+", " ", text))

    def flush(self) -> None:
        """Adds the collected text to the outline as a block."""
        self.outline.block(self._collected(), self._separator)

    def _heading(self, level: int, ends: bool) -> None:
        if ends:
            self.outline.heading(level, self._collected())
        else:
            self.flush()

    def _collected(self) -> str:
        text, self._pieces = "".join(self._pieces), []
        if self._verbatim:
            return text
        lines = (" ".join(line.split()) for line in text.split("\n"))
        lines = (re.sub(r"^(?:\| ?)+|(?: ?\|)+$", "", line) for line in lines)
        return "\n".join(line for line in lines if line)
