"""Reads OpenDocument texts (.odt): sections by headings, with lists, tables, notes and equations."""

from collections import Counter
from collections.abc import Iterator

from raft_exp.corpora.readers.documents import mathml, tables
from raft_exp.corpora.readers.documents.document import Document, Outline
from raft_exp.corpora.readers.documents.docx_lists import number
from raft_exp.corpora.readers.documents.ooxml import POWER, Element, Package

_NS = "{urn:oasis:names:tc:opendocument:xmlns:"
_T, _TABLE, _DRAW, _OFFICE = f"{_NS}text:1.0}}", f"{_NS}table:1.0}}", f"{_NS}drawing:1.0}}", f"{_NS}office:1.0}}"
_STYLE = f"{_NS}style:1.0}}"
_FORMS = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_HREF = "{http://www.w3.org/1999/xlink}href"
_SIGNS = {f"{_T}tab": "\t", f"{_T}line-break": "\n"}
_SKIPPED = (f"{_T}tracked-changes", f"{_T}sequence-decls", f"{_OFFICE}forms", f"{_T}ruby-text")
_WIDEST = 200  # columns and rows that one cell or row may stand for: a file could name any number


def read(data: bytes) -> Document:
    """Reads the body in order. The title is that of the file's properties, else the first heading."""
    package = Package(data)
    text = _Text(package)
    root = package.root("content.xml")
    for body in root.iter(f"{_OFFICE}text"):
        text.read(body)
    text.count_margins()
    meta = package.root("meta.xml") if "meta.xml" in package.names else None
    titles = () if meta is None else meta.iter("{http://purl.org/dc/elements/1.1/}title")
    title = next(((item.text or "").strip() for item in titles), "")
    return Document(title or text.outline.first, text.outline.parts(), package.warnings(text.counts))


class _Text:
    def __init__(self, package: Package) -> None:
        self.outline, self.counts = Outline(), Counter[str]()
        self._package = package
        self._levels = _list_levels(package)
        self._raised = _raised_styles(package)
        self._open: list[str] = []  # the styles of the lists that are open
        self._after: list[str] = []  # notes and text boxes of the paragraph

    def count_margins(self) -> None:
        """Counts page headers and footers with text."""
        if "styles.xml" in self._package.names:
            root = self._package.root("styles.xml")
            for margin in root.iter(
                *(f"{_STYLE}{kind}" for kind in ("header", "footer", "header-first", "footer-first"))
            ):
                kind = margin.tag.removeprefix(_STYLE).partition("-")[0]
                self.counts[f"page {kind}"] += any(map(str.isalpha, "".join(margin.itertext())))

    def read(self, container: Element, label: str = "") -> None:
        """Reads blocks; `label` stands before the first paragraph of a list item."""
        for block in container:
            if block.tag == f"{_T}h":
                level = block.get(f"{_T}outline-level", "1")
                self.outline.heading(int(level) if level.isdecimal() else 1, self._words(block))
                self._flush()
            elif block.tag == f"{_T}p":
                text = self._words(block).strip()
                self.outline.block(f"{label} {text}" if label and text else text, "\n" if label else "\n\n")
                label = ""
                self._flush()
            elif block.tag == f"{_T}list":
                self._list(block)
            elif block.tag == f"{_TABLE}table":
                header, rows = self._rows(block)
                for line in tables.lines(rows, header):
                    self.outline.block(line, "\n")
                self._flush()
            elif block.tag not in _SKIPPED:
                self.read(block)

    def _list(self, block: Element) -> None:
        """Reads a list. A list inside an item has the style of the outer list, one level deeper."""
        self._open.append(block.get(f"{_T}style-name", "") or (self._open[-1] if self._open else ""))
        level = self._levels.get((self._open[-1], len(self._open)))
        count = _count(
            block.get(f"{_T}start-value", "") or ("" if level is None else level.get(f"{_T}start-value", "")) or "1"
        )
        for item in block:
            form = _FORMS.get("" if level is None else level.get(f"{_STYLE}num-format", ""))
            if form is None or level is None:
                self.read(item, "-")
                continue
            before, after = (level.get(f"{_STYLE}num-{name}", "") for name in ("prefix", "suffix"))
            self.read(item, f"{before}{number(count, form)}{after}")
            count += 1
        self._open.pop()

    def _flush(self) -> None:
        waiting, self._after = self._after, []
        for text in waiting:
            self.outline.block(text)

    def _words(self, element: Element) -> str:
        return "".join(self._pieces(element))

    def _pieces(self, element: Element) -> Iterator[str]:
        yield " ".join((element.text or "").split("\n"))
        for inner in element:
            yield from self._piece(inner)
            yield " ".join((inner.tail or "").split("\n"))

    def _piece(self, inner: Element) -> Iterator[str]:
        if inner.tag == f"{_T}s":
            count = inner.get(f"{_T}c", "1")
            yield " " * (min(int(count), 64) if count.isdecimal() else 1)
        elif inner.tag in _SIGNS:
            yield _SIGNS[inner.tag]
        elif inner.tag == f"{_T}note":
            yield self._note(inner)
        elif inner.tag == f"{_OFFICE}annotation":
            self.counts["comment"] += 1
        elif inner.tag == f"{_DRAW}object":
            yield self._object(inner.get(_HREF, ""))
        elif inner.tag == f"{_DRAW}text-box":
            self._after.append("\n".join(self._flat(inner)))
        elif inner.get(f"{_T}style-name", "") in self._raised and POWER.fullmatch(text := self._words(inner)):
            yield f"^{text}"
        elif inner.tag not in _SKIPPED:
            yield from self._pieces(inner)

    def _note(self, note: Element) -> str:
        mark = f"[{(self._words(found) if (found := note.find(f'{_T}note-citation')) is not None else '').strip()}]"
        body = note.find(f"{_T}note-body")
        self._after.append(f"{mark} {' '.join(self._flat(body) if body is not None else [])}")
        return mark

    def _object(self, name: str) -> str:
        """Returns an equation as LaTeX. Other objects are counted."""
        member = f"{name.removeprefix('./').rstrip('/')}/content.xml"
        formula = mathml.from_xml(self._package.data(member)) if member in self._package.names else None
        if not formula:
            self.counts["equation" if formula == "" else "embedded object"] += 1
        return f"${formula}$" if formula else ""

    def _flat(self, container: Element) -> list[str]:
        """Returns the paragraphs of a cell, a note or a text box."""
        lines: list[str] = []
        for block in container:
            if block.tag in (f"{_T}p", f"{_T}h"):
                lines.append(self._words(block).strip())
            elif block.tag == f"{_TABLE}table":
                rows = self._rows(block)[1]
                lines.append("; ".join(", ".join(filter(None, row)) for row in rows if any(row)))
            elif block.tag not in _SKIPPED:
                lines += self._flat(block)
        return [line for line in lines if line]

    def _rows(self, table: Element) -> tuple[int, list[list[str]]]:
        """Returns the number of header rows, and the rows. Merged cells are repeated in their rows and columns."""
        rows: list[list[str]] = []
        header = 0
        for row in _elements(table, f"{_TABLE}table-row"):
            texts: list[str] = []
            for cell in _elements(row, f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
                text = " ".join(" ".join(self._flat(cell)).split())
                if cell.tag.endswith("covered-table-cell") and not text:
                    above = rows[-1][len(texts)] if rows and len(texts) < len(rows[-1]) else ""
                    text = texts[-1] if texts and texts[-1] and self._spans else above
                self._spans = cell.get(f"{_TABLE}number-columns-spanned", "1") != "1" or (
                    cell.tag.endswith("covered-table-cell") and self._spans
                )
                texts += [text] * _number(cell.get(f"{_TABLE}number-columns-repeated", "1"))
            rows.append(texts)
        for names in table.findall(f"{_TABLE}table-header-rows"):
            header = len(names.findall(f"{_TABLE}table-row"))
        return header, rows

    _spans = False  # whether the cell before belongs to a cell that spans several columns


def _list_levels(package: Package) -> dict[tuple[str, int], Element]:
    """Returns the numbered levels of list styles, by (style, level from 1)."""
    levels = {}
    for part in ("styles.xml", "content.xml"):
        for style in package.root(part).iter(f"{_T}list-style") if part in package.names else ():
            for level in style.findall(f"{_T}list-level-style-number"):
                levels[style.get(f"{_STYLE}name", ""), _number(level.get(f"{_T}level", "1"))] = level
    return levels


def _raised_styles(package: Package) -> set[str]:
    """Returns the names of the styles of raised text, such as powers."""
    position = f"{_STYLE}text-position"
    return {
        style.get(f"{_STYLE}name", "")
        for part in ("styles.xml", "content.xml")
        for style in (package.root(part).iter(f"{_STYLE}style") if part in package.names else ())
        if any(inner.get(position, "").startswith("super") for inner in style)
    }


def _elements(container: Element, *tags: str) -> Iterator[Element]:
    for inner in container:
        if inner.tag in tags:
            yield inner
        elif inner.tag in (f"{_TABLE}table-header-rows", f"{_TABLE}table-rows", f"{_TABLE}table-row-group"):
            yield from _elements(inner, *tags)


def _number(text: str) -> int:
    return min(_count(text), _WIDEST)


def _count(text: str) -> int:
    return int(text) if text.isdecimal() else 1
