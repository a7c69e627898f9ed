"""Reads Word files (python-docx): sections by heading styles, tables row by row, without page headers and footers."""

import io
import re
from collections.abc import Iterator
from typing import Protocol

from raft_exp.corpora.readers.documents.document import Document, Outline

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # a second copy of a text box
_SIGNS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
_STYLE = re.compile(r"(?i)heading (\d)")


class _Element(Protocol):
    """The members of lxml's elements that are used here."""

    @property
    def tag(self) -> str: ...

    @property
    def text(self) -> str | None: ...

    def __reversed__(self) -> "Iterator[_Element]": ...

    def iter(self, tag: str) -> "Iterator[_Element]": ...

    def iterchildren(self, tag: str) -> "Iterator[_Element]": ...

    def find(self, path: str) -> "_Element | None": ...

    def get(self, key: str, default: str) -> str: ...


def read(data: bytes) -> Document:
    """Reads the body in its order, with content controls, text boxes and insertions."""
    import docx

    file = docx.Document(io.BytesIO(data))
    styles = {style.style_id: style.name or "" for style in file.styles}
    outline = Outline()
    for block in _blocks(file.element.body):
        if block.tag == f"{_W}tbl":
            for row in block.iterchildren(f"{_W}tr"):
                cells = [" ".join(_text(cell).split()) for cell in row.iter(f"{_W}tc")]
                outline.block(" | ".join(cells) if any(cells) else "", "\n")
        elif level := _level(block, styles):
            outline.heading(level, _text(block))
        else:
            outline.block(_text(block))
    return Document((file.core_properties.title or "").strip() or outline.first, outline.parts())


def _blocks(body: _Element) -> Iterator[_Element]:
    """Paragraphs and tables, also inside content controls and other containers."""
    waiting = [body]
    while waiting:
        element = waiting.pop()
        if element.tag in (f"{_W}p", f"{_W}tbl"):
            yield element
        else:
            waiting.extend(reversed(element))


def _level(paragraph: _Element, styles: dict[str, str]) -> int:
    """The level of a heading, 1 for a title or the highest heading; 0 for other paragraphs."""
    style = paragraph.find(f"{_W}pPr/{_W}pStyle")
    name = "" if style is None else styles.get(style.get(f"{_W}val", ""), "")
    outlined = paragraph.find(f"{_W}pPr/{_W}outlineLvl")
    if outlined is not None and (level := outlined.get(f"{_W}val", "9")) in "012345678":
        return int(level) + 1
    heading = _STYLE.fullmatch(name)
    return int(heading[1]) if heading else int(name.lower() == "title")


def _text(element: _Element) -> str:
    """The text inside an element, without deleted text; each paragraph in it (text box, cell) is a line."""
    pieces: list[str] = []
    waiting = [element]
    while waiting:
        inner = waiting.pop()
        if inner.tag == f"{_W}t":
            pieces.append(inner.text or "")
        elif inner.tag == f"{_W}p" and inner is not element:
            pieces.append("\n")
        pieces.append(_SIGNS.get(inner.tag, ""))
        if inner.tag != _FALLBACK:
            waiting.extend(reversed(inner))
    return "".join(pieces).strip()
