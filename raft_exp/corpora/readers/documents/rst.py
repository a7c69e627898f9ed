"""Reads reStructuredText (docutils): sections by titles, with lists, tables, code, formulas and notes.

Included files are not opened. If docutils does not know a directive or role (of Sphinx, for example), its content is
read.
"""

from collections import Counter
from typing import TYPE_CHECKING

from raft_exp.corpora.readers.documents import rst_markup, tables
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Outline
from raft_exp.corpora.readers.documents.docx_lists import number
from raft_exp.corpora.readers.documents.ooxml import POWER, not_read

if TYPE_CHECKING:
    from docutils.nodes import Element, Node

_FORMS = {"arabic": "decimal", "loweralpha": "lowerLetter", "upperalpha": "upperLetter", "lowerroman": "lowerRoman",
          "upperroman": "upperRoman"}  # fmt: skip
_SKIPPED = {"target", "substitution_definition", "pending", "label", "raw", "decoration", "meta"}
_CODE = {"literal_block", "doctest_block"}
_LISTS = {"bullet_list", "enumerated_list"}
_NAMED = {"attention", "caution", "danger", "error", "hint", "important", "note", "tip", "warning"}
_LINES = {"paragraph", "line", "term", "classifier", "rubric", "caption", "attribution", "title", "subtitle"}


def read(data: bytes) -> Document:
    """Reads the elements in order. A note follows the first paragraph that refers to it."""
    text, warnings = decode(data)
    counts: Counter[str] = Counter()
    reader = _Text(rst_markup.tree(text, counts), counts)
    return Document(reader.outline.first, reader.outline.parts(), warnings + not_read(counts))


class _Text:
    def __init__(self, root: "Element", counts: Counter[str]) -> None:
        self.outline = Outline()
        self._counts = counts
        self._notes = {id_: note for note in _of(root, "footnote", "citation") for id_ in note.get("ids", [])}
        self._referred = {node.get("refid", "") for node in _of(root, "footnote_reference", "citation_reference")}
        self._after: list[Element] = []
        self._read(root, 0)

    def _read(self, container: "Element", depth: int) -> None:
        for block in container.children:
            self._block(block, depth)
            waiting, self._after = self._after, []
            for note in waiting:
                self.outline.block(self._note(note))

    def _block(self, block: "Node", depth: int) -> None:
        name = rst_markup.name(block)
        if name in _SKIPPED:
            return
        if name == "comment":
            self._counts["comment"] += bool(block.astext().strip())
        elif name in ("title", "subtitle"):
            self.outline.heading(depth + (name == "subtitle") or 1, self._words(block))
        elif name in ("footnote", "citation"):
            if not self._referred.intersection(block.get("ids", [])):
                self.outline.block(self._note(block))
        elif name in ("section", "document"):
            self._read(block, depth + 1)
        elif name in _CODE:
            self.outline.block(block.astext())
        elif name == "math_block":
            self.outline.block(f"$${' '.join(block.astext().split())}$$")
        elif name == "table":
            self._table(block)
        elif name in _LISTS:
            self._list(block, depth)
        elif name in _LINES:
            self.outline.block(self._words(block), "\n" if name == "line" else "\n\n")
        elif name in ("definition_list_item", "field", "option_list_item"):
            self._item(block, depth)
        elif name == "system_message":
            self._problem(block)
        elif name == "image":
            self.outline.block(self._words(block))
        elif all(rst_markup.name(part) == "text" for part in block.children):
            self.outline.block(_field(name, block.astext()))
        else:
            if name in _NAMED:
                self.outline.block(f"{name.capitalize()}:")
            self._read(block, depth)

    def _problem(self, message: "Element") -> None:
        """Adds faulty markup as it stands in the file, without docutils' message about it.

        Included files and raw blocks, which docutils may not read, are counted instead.
        """
        for source in _of(message, "literal_block"):
            if what := rst_markup.disabled(message):
                self._counts[what] += 1
            else:
                self.outline.block(source.astext())

    def _item(self, item: "Element", depth: int) -> None:
        """Adds an item with a name: "name: text" if the text is one paragraph, else the name on its own line."""
        *names, body = item.children
        name = ", ".join(filter(None, (self._words(part) for part in names))).rstrip(":")
        inner = [part for part in body.children if rst_markup.name(part) != "comment"]
        if rst_markup.name(item) != "definition_list_item" and [rst_markup.name(part) for part in inner] == [
            "paragraph"
        ]:
            self.outline.block(f"{name}: {self._words(inner[0])}", "\n")
        else:
            self.outline.block(name, "\n")
            self._read(body, depth)

    def _list(self, block: "Element", depth: int) -> None:
        form = _FORMS.get(block.get("enumtype", ""))
        for place, item in enumerate(block.children, start=block.get("start", 1)):
            shown = number(place, form) if form else ""
            label = f"{block.get('prefix', '')}{shown}{block.get('suffix', '.')}" if form else "-"
            first = next(iter(item.children), None)
            if rst_markup.name(first) == "paragraph":
                self.outline.block(f"{label} {self._words(first)}", "\n")
                item.remove(first)
            elif first is not None:
                self.outline.block(label, "\n")
            self._read(item, depth)

    def _table(self, table: "Element") -> None:
        for title in _of(table, "title"):
            self.outline.block(self._words(title))
        for group in _of(table, "tgroup"):
            header, rows = self._rows(group)
            for line in tables.lines(rows, header):
                self.outline.block(line, "\n")
            return  # tables inside of cells are part of these

    def _rows(self, group: "Element") -> tuple[int, list[list[str]]]:
        """Returns the number of header rows, and the rows. Merged cells are repeated in their rows and columns."""
        parts = [part for part in group.children if rst_markup.name(part) in ("thead", "tbody")]
        cells = [[self._cell(cell) for cell in row.children] for part in parts for row in part.children]
        header = sum(len(part.children) for part in parts if rst_markup.name(part) == "thead")
        return header, tables.placed(cells)

    def _cell(self, cell: "Element") -> tables.Cell:
        text = " ".join(filter(None, map(self._words, cell.children)))
        return tables.Cell(text, cell.get("morerows", 0) + 1, cell.get("morecols", 0) + 1)

    def _note(self, note: "Element") -> str:
        label = next((part.astext() for part in _of(note, "label")), "*")
        texts = (self._words(part) for part in note.children if rst_markup.name(part) != "label")
        return f"[{label}] {' '.join(filter(None, texts))}"

    def _words(self, node: "Node | None") -> str:
        """Returns the text of an element on one line."""
        return " ".join(self._written(node).split())

    def _written(self, node: "Node | None") -> str:
        name = rst_markup.name(node)
        if node is None or name in _SKIPPED or name == "comment":
            return ""
        if name in ("footnote_reference", "citation_reference"):
            return self._mark(node)
        if name == "image":
            text = node.get("alt", "")
            self._counts["picture"] += not text
            return f"[picture: {text}]" if text else ""
        if name in ("math", "math_block"):
            return f"${' '.join(node.astext().split())}$"
        if not node.children or name == "problematic":
            return str(node.astext())
        before = node.get("delimiter", "") if name == "option_argument" else ""
        text = before + ("" if name in rst_markup.INLINE else " ").join(map(self._written, node.children))
        return f"^{text}" if name == "superscript" and POWER.fullmatch(text) else text

    def _mark(self, reference: "Node") -> str:
        note = self._notes.pop(reference.get("refid", ""), None)
        if note is not None:
            self._after.append(note)
        return f"[{reference.astext()}]"


def _of(node: "Element", *names: str) -> "list[Element]":
    """Returns the node's descendants with one of these names, in order."""
    return [inner for inner in node.findall() if rst_markup.name(inner) in names]


def _field(name: str, text: str) -> str:
    """Returns an element without structure as text: a document field ("version: 1.2") or the text of a directive."""
    return f"{name}: {text.strip()}" if text.strip() else ""
