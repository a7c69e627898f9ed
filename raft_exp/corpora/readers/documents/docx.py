"""Reads Word files (.docx, .docm, .dotx, .dotm): sections by heading styles, with lists, tables, notes and equations.

Deleted text is left out. Moved text is read only at its new place. Elements with text that are not read are counted.
"""

from collections import Counter

from raft_exp.corpora.readers.documents.document import Document, Outline, Part
from raft_exp.corpora.readers.documents.docx_lists import Lists
from raft_exp.corpora.readers.documents.docx_styles import Styles, W, is_on
from raft_exp.corpora.readers.documents.docx_tables import Table, is_column
from raft_exp.corpora.readers.documents.docx_text import Texts, blocks
from raft_exp.corpora.readers.documents.ooxml import Element, Package

_PARAGRAPH, _TABLE, _CHUNK = f"{W}p", f"{W}tbl", f"{W}altChunk"
_LEAST = 8  # letters of a page header or footer that is more than a page number


def read(data: bytes) -> Document:
    """Reads the body in order, then notes to which nothing refers, then page headers and footers, each text once."""
    package = Package(data)
    part = package.main("word/document.xml")
    body, counts = package.root(part), Counter[str]()
    reader = _Body(package, part, counts)
    reader.read(body)
    for note in reader.texts.unused_notes():
        reader.outline.block(" ".join(reader.flat(note)))
    parts = reader.outline.parts()
    margins = _margins(package, part, " ".join(part.text for part in parts))
    if margins:
        parts = [*parts, Part("\n".join(margins), "section", "page headers and footers")]
    return Document(package.title() or reader.outline.first, parts, package.warnings(counts))


def _margins(package: Package, part: str, text: str) -> list[str]:
    """Returns the texts of page headers and footers, each once, without those that also occur in `text`.

    `text`: the text of the document. Texts with fewer than _LEAST letters are left out.
    """
    found = dict[str, None]()
    for kind in ("header", "footer"):
        for relation in package.relations(part).values():
            if relation.kind == kind and relation.target in package.names:
                reader = _Body(package, relation.target, Counter())
                lines = reader.flat(package.root(relation.target))
                found |= dict.fromkeys(" ".join(line.split()) for line in lines)
    known = " ".join(text.split())
    return [line for line in found if sum(map(str.isalpha, line)) >= _LEAST and line not in known]


class _Body:
    """Reads the blocks of a part into an outline."""

    def __init__(self, package: Package, part: str, counts: Counter[str]) -> None:
        self.outline = Outline()
        self.texts = Texts(package, part, counts)
        self._counts = counts
        self._styles = Styles(next(package.related(part, "styles"), None))
        self._lists = Lists(next(package.related(part, "numbering"), None), self._styles)
        self._carried = ""  # text of paragraphs whose paragraph mark was deleted: it belongs to the next paragraph

    def read(self, container: Element) -> None:
        """Reads paragraphs and tables, including those in content controls, text boxes and other containers."""
        for block in blocks(container):
            if block.tag == _PARAGRAPH:
                self._paragraph(block)
            elif block.tag == _CHUNK:
                self._counts["inserted document"] += 1
            elif is_column(block):
                for cell in Table(block).cells():
                    self.read(cell)
            else:
                for line in Table(block).lines(self.flat):
                    self.outline.block(line, "\n")
                self._after()
        self.outline.block(self._carried)
        self._carried = ""

    def flat(self, container: Element) -> list[str]:
        """Returns the paragraphs and tables of a cell or a note, each as one text."""
        lines: list[str] = []
        for block in blocks(container):
            if block.tag == _PARAGRAPH:
                lines.append(_with_label(self._lists.label(block), self.texts.text(block).strip()))
            elif block.tag == _TABLE:
                rows = Table(block).rows(self.flat)
                lines.append("; ".join(", ".join(filter(None, row)) for row in rows if any(row)))
        return [line for line in lines if line]

    def _paragraph(self, paragraph: Element) -> None:
        text = self._carried + self.texts.text(paragraph)
        if any(is_on(paragraph.find(f"{W}pPr/{W}rPr/{W}{mark}")) for mark in ("del", "moveFrom")):
            self._carried = text
            return
        self._carried, text = "", text.strip()
        label, level = self._lists.label(paragraph), self._styles.level(paragraph)
        if level:
            self.outline.heading(level, _with_label(label, text))
        else:
            self.outline.block(_with_label(label, text), "\n" if label else "\n\n")
        self._after()

    def _after(self) -> None:
        """Adds the text boxes, charts and notes of the preceding blocks."""
        waiting, self.texts.after = self.texts.after, []
        for item in waiting:
            if isinstance(item, str):
                self.outline.block(item)
            elif item.mark:
                self.outline.block(f"{item.mark} {' '.join(self.flat(item.content))}")
            else:
                self.read(item.content)
        if self.texts.after:
            self._after()


def _with_label(label: str, text: str) -> str:
    return f"{label} {text}" if label and text else text
