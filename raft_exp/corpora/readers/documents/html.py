"""Reads HTML (beautifulsoup4, html.parser): the visible text without navigation, in sections by headings."""

import re
from collections import Counter
from typing import TYPE_CHECKING

from raft_exp.corpora.readers.documents import html_tables, mathml
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Outline
from raft_exp.corpora.readers.documents.html_forms import FORM_PARTS, value_of
from raft_exp.corpora.readers.documents.html_tree import events, is_code, is_mark, raised
from raft_exp.corpora.readers.documents.ooxml import not_read

if TYPE_CHECKING:
    from bs4.element import Tag

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_VERBATIM = {"pre", "textarea", "xmp", "listing"}
_LINES = {"li", "tr", "dt", "dd", "option"}
_BLOCKS = (
    _LINES
    | _VERBATIM
    | {
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
    }
    | {"td", "th", "caption", "blockquote", "figure", "figcaption", "address", "form", "fieldset", "hr", "details"}
    | {"summary"}
)
_CHARSET = re.compile(rb"""<(?:meta[^>]{0,200}charset\s*=|\?xml[^>]{0,200}encoding\s*=)\s*["']?([\w.:-]{1,40})""", re.I)


_MATHML = re.compile(r"<(/?)(?:m|mml|math):(?=[a-z])")  # prefixes of MathML in XHTML


def read(data: bytes) -> Document:
    """Reads a page. `decode` determines the encoding, which the page may declare."""
    declared = _CHARSET.search(data[:4096])
    text, warnings = decode(data, declared[1].decode() if declared else "")
    document = read_text(text)
    return Document(document.title, document.parts, warnings + document.warnings)


def read_text(text: str) -> Document:
    """Reads a page from its HTML source."""
    from bs4 import BeautifulSoup
    from bs4.element import NavigableString, RubyTextString, Tag

    tree = BeautifulSoup(_MATHML.sub(r"<\1", text), "html.parser")
    page = _Page()
    for tag, ends in events(tree):
        if isinstance(tag, Tag):
            page.tag(tag, ends)
        elif type(tag) in (NavigableString, RubyTextString):  # no other subclass: comments, doctypes
            page.text(str(tag))
    page.flush()
    title = tree.find("title")
    named = " ".join(title.get_text().split()) if title else ""
    page.counts["formula"] += page.formulas
    return Document(named or page.outline.first, page.outline.parts(), not_read(page.counts))


class _Page:
    """Collects text until a block begins or ends."""

    def __init__(self) -> None:
        self.outline = Outline()
        self.formulas = 0  # that could not be read
        self.counts = Counter[str]()  # of other elements that hold text and are not read
        self._pieces: list[str] = []
        self._grid: html_tables.Grid | None = None  # the open table, if it has values
        self._open: list[Tag] = []  # tags whose text keeps its lines and spaces
        self._numbers: list[int | None] = []  # by open list: the number of the next item; None: without numbers
        self._separator = "\n\n"

    def tag(self, tag: "Tag", ends: bool) -> None:
        """Handles the start of a tag, or its end (`ends`)."""
        name = tag.name
        if name in ("svg", "iframe", "object"):
            self._count(tag)
        elif name in ("math", "script"):
            self._formula(tag)
        elif name in FORM_PARTS:
            self.text(f" {text} " if not ends and (text := value_of(tag)) else "")
        elif name == "sup" or (name == "a" and is_mark(tag)):
            self.text(raised(tag)[ends])
        elif name == "rt":
            self.text(")" if ends else "(")
        elif self._grid is not None:
            self._in_table(tag, ends, self._grid)
        elif name in _HEADINGS:
            self._heading(_HEADINGS[name], ends)
        elif name == "br":
            self._pieces.append("\n")
        elif name in _BLOCKS:
            self._block(tag, ends)

    def text(self, text: str) -> None:
        """Handles a text node."""
        if self._grid is not None:
            self._grid.add(text)
        else:
            self._pieces.append(text if self._open else re.sub(r"\s+", " ", text))

    def flush(self) -> None:
        """Adds the collected text to the outline as a block."""
        self.outline.block(self._collected(), self._separator)

    def _block(self, tag: "Tag", ends: bool) -> None:
        if self._open and tag.name in ("td", "th"):
            return  # the cells of a line of code
        self.flush()
        name = tag.name
        self._separator = "\n" if name in _LINES and not ends else "\n\n"
        if name == "table" and not ends and html_tables.is_data(tag) and not is_code(tag):
            self._grid = html_tables.Grid()
        elif name in _VERBATIM or (name == "table" and is_code(tag)):
            self._open = [open_ for open_ in self._open if open_ is not tag] + ([] if ends else [tag])
        elif name in ("ol", "ul"):
            self._list(tag, ends)
        elif name == "li" and not ends:
            self._item(tag)

    def _in_table(self, tag: "Tag", ends: bool, grid: html_tables.Grid) -> None:
        if tag.name == "table" and ends:
            self._grid = None
            for line in grid.lines():
                self.outline.block(line, "\n")
        elif tag.name == "tr" and not ends:
            grid.row()
        elif tag.name in ("td", "th") and not ends:
            grid.cell(tag)
        elif tag.name in _BLOCKS or tag.name in _HEADINGS or tag.name == "br":
            grid.add(" ")

    def _formula(self, tag: "Tag") -> None:
        text = mathml.latex(tag) if tag.name == "math" else " ".join(tag.get_text().split())
        self.formulas += not text
        self.text(f"${text}$" if text else "")

    def _count(self, tag: "Tag") -> None:
        """Counts content that is not read: a drawing with text, or a page inside the page."""
        if tag.name == "svg":
            self.counts["drawing with text"] += tag.find("text") is not None
        else:
            self.counts["embedded page"] += bool(tag.get("srcdoc") or tag.get("src") or tag.get("data"))

    def _list(self, tag: "Tag", ends: bool) -> None:
        if ends:
            self._numbers = self._numbers[:-1]
        else:
            start = str(tag.get("start", "1"))
            self._numbers.append((int(start[:6]) if start.isdecimal() else 1) if tag.name == "ol" else None)

    def _item(self, tag: "Tag") -> None:
        number = self._numbers[-1] if self._numbers else None
        if number is not None:
            given = str(tag.get("value", ""))
            number = int(given[:6]) if given.isdecimal() else number
            self._pieces.append(f"{number}. ")
            self._numbers[-1] = number + 1

    def _heading(self, level: int, ends: bool) -> None:
        if ends:
            self.outline.heading(level, self._collected())
        else:
            self.flush()

    def _collected(self) -> str:
        text, self._pieces = "".join(self._pieces), []
        if self._open:
            return text
        lines = (" ".join(line.split()) for line in text.split("\n"))
        return "\n".join(line for line in lines if line)
