"""Reads XML (DocBook, JATS, TEI, records of any kind): sections by titles, paragraphs, and "name: value" lines."""

from collections import Counter

from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Outline
from raft_exp.corpora.readers.documents.ooxml import Element, not_read, parse_xml

_TITLES = {"title", "head", "heading", "article-title"}
_PARAGRAPHS = {"p", "para", "simpara", "formalpara", "abstract", "note", "caption", "li", "listitem", "ab", "l"}
_CODE = {"programlisting", "screen", "literallayout", "code", "preformat", "eg"}


def read(data: bytes) -> Document:
    """Reads the elements in their order. An element with text between its children is a paragraph."""
    decode(data)  # refuses binary data
    counts: Counter[str] = Counter()
    outline = Outline()
    waiting: list[tuple[Element, int]] = [(parse_xml(data, any_type=True), 0)]
    while waiting:
        element, depth = waiting.pop()
        if not isinstance(element.tag, str):
            counts["entity"] += 1
            continue
        name = element.tag.rpartition("}")[2].lower()
        text = " ".join("".join(element.itertext()).split()) if name in _TITLES or _is_paragraph(element, name) else ""
        if name in _TITLES and text:
            outline.heading(max(1, depth), text)
        elif name in _CODE:
            outline.block("".join(element.itertext()))
        elif _is_paragraph(element, name):
            outline.block(text)
        elif not len(element):
            value = " ".join((element.text or "").split())
            outline.block(f"{name}: {value}" if value else "", "\n")
        else:
            waiting.extend((inner, depth + 1) for inner in reversed(list(element)))
    return Document(outline.first, outline.parts(), not_read(counts))


def _is_paragraph(element: Element, name: str) -> bool:
    """Whether an element holds running text."""
    if name in _PARAGRAPHS:
        return not any(
            str(inner.tag).rpartition("}")[2].lower() in _PARAGRAPHS | _CODE
            for inner in element.iter()
            if inner is not element
        )
    own = (element.text or "").strip() or any((inner.tail or "").strip() for inner in element)
    return bool(own) and len(element) > 0
