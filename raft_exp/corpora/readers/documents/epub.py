"""Reads books (.epub): the pages in reading order, each as a web page."""

import posixpath
from urllib.parse import unquote

from raft_exp.corpora.readers.documents import html
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Part, UnreadableError
from raft_exp.corpora.readers.documents.ooxml import Package, parse_xml

_OPF, _DC = "{http://www.idpf.org/2007/opf}", "{http://purl.org/dc/elements/1.1/}"
_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"


def read(data: bytes) -> Document:
    """Reads the pages that the book lists. Each missing page gives a warning.

    Raises UnreadableError for a book without a list of pages.
    """
    book = Package(data)
    container = parse_xml(book.data("META-INF/container.xml"), any_type=True)
    root = next(iter(container.iter(f"{_CONTAINER}rootfile")), None)
    if root is None:
        raise UnreadableError("damaged", "a book without a list of its pages")
    path = root.get("full-path", "")
    package = parse_xml(book.data(path), any_type=True)
    items = {item.get("id", ""): item.get("href", "") for item in package.iter(f"{_OPF}item")}
    names = [items.get(page.get("idref", ""), "") for page in package.iter(f"{_OPF}itemref")]
    parts: list[Part] = []
    warnings: list[str] = []
    for name in names:
        member = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(name)))
        if member not in book.names:
            warnings.append(f"page {name!r} is missing")
            continue
        page, notes = _page(book.data(member))
        parts += page
        warnings += notes
    title = next((" ".join((item.text or "").split()) for item in package.iter(f"{_DC}title")), "")
    return Document(title, parts, warnings)


def _page(data: bytes) -> tuple[list[Part], list[str]]:
    if not data.strip():
        return [], []
    text, warnings = decode(data)
    page = html.read_text(text)
    return page.parts, warnings + page.warnings
