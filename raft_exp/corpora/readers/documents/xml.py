"""Reads XML (DocBook, JATS, TEI, any records): sections by titles, paragraphs, tables, "name: value" lines."""

from collections import Counter
from collections.abc import Iterator

from raft_exp.corpora.readers.documents import mathml, xml_tables
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Outline
from raft_exp.corpora.readers.documents.ooxml import Element, not_read, parse_xml

_TITLES = {"title", "head", "heading", "article-title"}
_CODE = {"programlisting", "screen", "literallayout", "code", "preformat", "eg"}
_RUNNING = {"p", "para", "simpara"}  # always paragraphs
_PARAGRAPHS = _RUNNING | {"formalpara", "abstract", "note", "caption", "li", "listitem", "ab", "l"}
_BLOCKS = _PARAGRAPHS | _CODE | xml_tables.TABLES | {"list", "itemizedlist", "orderedlist", "figure", "sec", "section"}
_TEX = {"tex-math", "alt-text-math"}
_NAMES = {"id", "class", "style", "lang", "rid", "role", "ref-type", "content-type", "version"}  # attributes not shown


def read(data: bytes) -> Document:
    """Reads the elements in order. An element with text between its children is a paragraph."""
    decode(data)  # refuses binary data
    reader = _Reader()
    reader.read(parse_xml(data, any_type=True))
    return Document(reader.outline.first, reader.outline.parts(), not_read(reader.counts))


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


class _Reader:
    def __init__(self) -> None:
        self.outline, self.counts = Outline(), Counter[str]()

    def read(self, root: Element) -> None:
        """Reads an element with all its contents.

        A stack replaces recursion, because deep nesting would exceed the recursion limit.
        """
        waiting: list[tuple[Element | str, int]] = [(root, 0)]
        while waiting:
            item, depth = waiting.pop()
            if isinstance(item, str):
                self.outline.block(" ".join(item.split()))
            else:
                waiting.extend((inner, depth + 1) for inner in reversed(self._opened(item, depth)))

    def _opened(self, element: Element, depth: int) -> list[Element | str]:
        """Adds an element to the outline; returns the contents that are still to be read."""
        name = _name(element)
        if not name:
            self.counts["entity"] += 1
        elif name in _TITLES and (text := self._words(element)):
            self.outline.heading(max(1, depth), text)
        elif name in _CODE:
            self.outline.block("".join(element.itertext()))
        elif name in xml_tables.TABLES and (rows := xml_tables.lines(element, self._words)):
            for row in rows:
                self.outline.block(row, "\n")
        elif name == "math":
            self.outline.block(self._formula(element))
        elif name in _RUNNING or _has_own_text(element) or (name in _PARAGRAPHS and len(element) < 2):
            return list(self._runs(element))
        elif not len(element):
            self.outline.block(_field(element, name), "\n")
        else:
            self.outline.block(_field(element, name), "\n")
            return list(element)
        return []

    def _runs(self, element: Element) -> Iterator[Element | str]:
        """Yields the texts of a paragraph and the blocks between them, in order."""
        text = element.text or ""
        for inner in element:
            if _name(inner) in _BLOCKS:
                yield text
                yield inner
                text = ""
            else:
                text += self._written(inner)
            text += inner.tail or ""
        yield text

    def _words(self, element: Element) -> str:
        """Returns the text of an element on one line."""
        text = (element.text or "") + "".join(self._written(inner) + (inner.tail or "") for inner in element)
        return " ".join(text.split())

    def _written(self, element: Element) -> str:
        name = _name(element)
        if not name:
            self.counts["entity"] += 1
            return ""
        if name == "math":
            return self._formula(element)
        if name in _TEX:
            return f"${' '.join(''.join(element.itertext()).split())}$"
        before = " " if name in _BLOCKS else ""
        text = (element.text or "") + "".join(self._written(inner) + (inner.tail or "") for inner in element)
        return f"{before}{text}{before}"

    def _formula(self, element: Element) -> str:
        from lxml import etree

        text = mathml.from_xml(etree.tostring(element, with_tail=False))
        self.counts["formula"] += not text
        return f"${text}$" if text else ""


def _has_own_text(element: Element) -> bool:
    """Whether an element has text between its children."""
    own = (element.text or "").strip() or any((inner.tail or "").strip() for inner in element)
    return bool(own) and len(element) > 0


def _field(element: Element, name: str) -> str:
    """Returns an element as "name: value", with its attributes: "price (currency: EUR): 40"; "" if empty."""
    given = [(key, value) for key, value in element.items() if "}" not in key and key.lower() not in _NAMES]
    shown = f" ({'; '.join(f'{key}: {value}' for key, value in given)})" if given else ""
    value = "" if len(element) else " ".join((element.text or "").split())
    return f"{name}{shown}: {value}" if value else f"{name}{shown}" if given else ""
