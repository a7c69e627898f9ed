"""HTML (beautifulsoup4 on Python's own parser): the visible text, without navigation, in sections by its headings."""

import re
from collections.abc import Iterator
from typing import Any

from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Outline

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
    """Deep nesting costs no recursion: the tree is walked with a stack."""
    from bs4 import BeautifulSoup
    from bs4.element import NavigableString, Tag

    declared = _CHARSET.search(data[:4096])
    text, warnings = decode(data, declared[1].decode() if declared else "")
    tree = BeautifulSoup(text, "html.parser")
    page = _Page()
    for tag, ends in _events(tree):
        if isinstance(tag, Tag):
            page.tag(tag.name, ends)
        elif type(tag) is NavigableString:  # comments, doctypes and the like are kinds of it
            page.text(str(tag))
    page.flush()
    title = tree.find("title")
    named = " ".join(title.get_text().split()) if title else ""
    return Document(named or page.outline.first, page.outline.parts(), warnings)


def _events(tree: Any) -> Iterator[tuple[Any, bool]]:
    """(node, False) where it begins and (tag, True) where it ends, of all that is seen."""
    waiting = [(node, False) for node in reversed(tree.contents)]
    while waiting:
        node, ends = waiting.pop()
        name = getattr(node, "name", None)
        if name is None or ends:
            yield node, ends
        elif name not in _UNSEEN and not _hidden(node):
            yield node, False
            waiting.append((node, True))
            waiting.extend((inner, False) for inner in reversed(node.contents))


def _hidden(tag: Any) -> bool:
    style = str(tag.get("style", "")).replace(" ", "").lower()
    return tag.has_attr("hidden") or "display:none" in style


class _Page:
    """Gathers running text until a block begins or ends. Cells of a row stand in one line, whatever is in them."""

    def __init__(self) -> None:
        self.outline = Outline()
        self._pieces: list[str] = []
        self._cells = 0  # open ones
        self._verbatim = 0  # open <pre>
        self._separator = "\n\n"

    def tag(self, name: str, ends: bool) -> None:
        """A tag begins or ends."""
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
        """Text of the page."""
        self._pieces.append(text if self._verbatim else re.sub(r"\s+", " ", text))

    def flush(self) -> None:
        """What was gathered becomes a block."""
        self.outline.block(self._gathered(), self._separator)

    def _heading(self, level: int, ends: bool) -> None:
        if ends:
            self.outline.heading(level, self._gathered())
        else:
            self.flush()

    def _gathered(self) -> str:
        text, self._pieces = "".join(self._pieces), []
        if self._verbatim:
            return text
        lines = (" ".join(line.split()) for line in text.split("\n"))
        lines = (re.sub(r"^(?:\| ?)+|(?: ?\|)+$", "", line) for line in lines)
        return "\n".join(line for line in lines if line)
