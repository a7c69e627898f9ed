"""Opens the parts of Office files (.docx, .pptx, .xlsx, .odt) and books (.epub), which are zip archives of XML.

Templates, files with macros, and the Strict form of Office Open XML are included.

python-docx checks the content type and follows every relationship. It therefore refuses templates, Strict files and
files with a broken relationship. This module opens only the parts that a reader requests.
"""

import html
import io
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from raft_exp.corpora.readers.documents.document import UnreadableError

_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")  # namespaces of the Strict form
_OFFICE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
RELATION = f"{_OFFICE}id"  # attribute that names a relationship
_MARKUP = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
ALTERNATE, _CHOICE = f"{_MARKUP}AlternateContent", f"{_MARKUP}Choice"
POWER = re.compile(r"[-−+]?\d{1,4}")  # a number that is a power where it is raised: 10^6
_TITLE = "{http://purl.org/dc/elements/1.1/}title"


class _Element(Protocol):
    """The members of lxml's elements that the readers use."""

    @property
    def tag(self) -> str: ...

    @property
    def text(self) -> str | None: ...

    @property
    def tail(self) -> str | None: ...

    def __len__(self) -> int: ...

    def itertext(self) -> Iterator[str]: ...

    def __iter__(self) -> "Iterator[_Element]": ...

    def iter(self, *tags: str) -> "Iterator[_Element]": ...

    def find(self, path: str) -> "_Element | None": ...

    def findall(self, path: str) -> "list[_Element]": ...

    def get(self, key: str, default: str) -> str: ...

    def items(self) -> "list[tuple[str, str]]": ...


Element: TypeAlias = _Element


@dataclass(frozen=True)
class Relation:
    """A relationship of a part: its kind ("footnotes", "chart") and the name of the other part."""

    kind: str
    target: str


class Package:
    """The parts of an Office file or a book. `data`: its bytes. Raises zipfile.BadZipFile for other data."""

    def __init__(self, data: bytes) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self.names = set(self._archive.namelist())
        self._entities: dict[str, int] = {}  # references to unknown entities, by part

    def main(self, usual: str) -> str:
        """Returns the name of the main part; `usual` if the package does not name an existing part."""
        targets = [relation.target for relation in self.relations("").values() if relation.kind == "officeDocument"]
        return next((target for target in targets if target in self.names), usual)

    def relations(self, part: str) -> dict[str, Relation]:
        """Returns {id: relationship} of a part to other parts of the package. The part "" is the package itself."""
        folder, name = posixpath.split(part)
        file = posixpath.join(folder, "_rels", f"{name}.rels")
        if file not in self.names:
            return {}
        found = {}
        for item in self.root(file):
            if item.get("TargetMode", "") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, item.get("Target", ""))).lstrip("/")
                found[item.get("Id", "")] = Relation(item.get("Type", "").rpartition("/")[2], target)
        return found

    def root(self, part: str) -> Element:
        """Returns the root element of a part. References to unknown entities are removed and counted for `warnings`.

        Raises KeyError if the part is missing, and the errors of `parse_xml`.
        """
        root = parse_xml(self.data(part))
        self._entities[part] = _take_out_entities(root)
        return root

    def warnings(self, counts: Counter[str]) -> list[str]:
        """Returns warnings about text that was not read: the `counts` of a reader, and unknown entities."""
        return not_read(counts + Counter(entity=sum(self._entities.values())))

    def data(self, part: str) -> bytes:
        """Returns the bytes of a part. Raises KeyError if it is missing."""
        return self._archive.read(part)

    def related(self, part: str, kind: str) -> Iterator[Element]:
        """Yields the roots of the parts with a relationship of this kind. Missing parts are left out."""
        for relation in self.relations(part).values():
            if relation.kind == kind and relation.target in self.names:
                yield self.root(relation.target)

    def title(self) -> str:
        """Returns the title in the properties of the file; "" if there is none."""
        found = (root.find(_TITLE) for root in self.related("", "core-properties"))
        return next(((title.text or "").strip() for title in found if title is not None), "")


def parse_xml(data: bytes, any_type: bool = False) -> Element:
    """Returns the root element of an XML text, without comments. Entities are not expanded and no file is opened.

    Raises lxml's XMLSyntaxError for a text that is not XML, and UnreadableError for a DTD that defines entities, unless
    `any_type`.
    """
    from lxml import etree

    text = _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", data)
    try:
        root: Element = etree.fromstring(text, _parser())
    except etree.XMLSyntaxError:
        recovering = _parser(recover=True)
        root = etree.fromstring(text, recovering)
        if root is None or any(
            problem.level_name == "FATAL" and problem.type_name != "ERR_UNDECLARED_ENTITY"
            for problem in recovering.error_log
        ):
            raise
    declared = root.getroottree().docinfo.internalDTD  # type: ignore[attr-defined]  # not in the protocol
    if not any_type and declared is not None and any(entity.content is not None for entity in declared.iterentities()):
        raise UnreadableError("damaged", "an XML part with a DTD that defines entities, which Office files never have")
    return root


def _parser(recover: bool = False) -> Any:
    from lxml import etree

    return etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True, recover=recover
    )


def _take_out_entities(root: Element) -> int:
    """Replaces entities with HTML names (`&eacute;`) by their characters, and removes all others.

    Returns the number of removed entities.
    """
    from lxml import etree

    unknown = 0
    references: list[Any] = list(root.iter(etree.Entity))  # lxml's own members, which the protocol lacks
    for reference in references:
        sign = html.unescape(reference.text)
        unknown += sign == reference.text
        text = ("" if sign == reference.text else sign) + (reference.tail or "")
        parent, before = reference.getparent(), reference.getprevious()
        if before is None:
            parent.text = (parent.text or "") + text
        else:
            before.tail = (before.tail or "") + text
        parent.remove(reference)
    return unknown


def chosen(element: Element) -> Element | None:
    """Returns the alternative to read from an AlternateContent element: its first choice, else its fallback.

    Returns None for an element without alternatives.
    """
    choice = element.find(_CHOICE)
    return choice if choice is not None else next(iter(element), None)


def not_read(counts: Counter[str]) -> list[str]:
    """Returns warnings about parts of a document whose text was not read, such as "2 comments not read"."""
    return [f"{count} {_plural(what, count)} not read" for what, count in sorted(counts.items()) if count]


def _plural(what: str, count: int) -> str:
    if count == 1:
        return what
    return "entities" if what == "entity" else f"{what}s"
