"""Reads PowerPoint files (.pptx, .ppsx, .potx, also with macros): one part per slide, with tables, charts and notes."""

from collections import Counter
from collections.abc import Iterator

from raft_exp.corpora.readers.documents import charts, tables
from raft_exp.corpora.readers.documents.charts import A
from raft_exp.corpora.readers.documents.document import Document, Part
from raft_exp.corpora.readers.documents.drawing_text import Paragraphs
from raft_exp.corpora.readers.documents.ooxml import ALTERNATE, RELATION, Element, Package, chosen

_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_RELATIONS = RELATION.removesuffix("id")
_NUMBERS = ("sldNum", "dt")  # placeholders of slide numbers and dates


def read(data: bytes) -> Document:
    """Reads the shapes of each slide in order, including those in groups, then the notes of the slide."""
    package, counts = Package(data), Counter[str]()
    main = package.main("ppt/presentation.xml")
    relations = package.relations(main)
    slides = (relations.get(item.get(RELATION, "")) for item in package.root(main).iter(f"{_P}sldId"))
    parts = []
    for number, relation in enumerate(slides, start=1):
        if relation is None or relation.target not in package.names:
            counts["missing slide"] += 1
            continue
        blocks = _Slide(package, relation.target, counts).blocks()
        if blocks:
            parts.append(Part("\n\n".join(blocks), "slide", str(number)))
    title = package.title().replace("PowerPoint Presentation", "")
    return Document(title or (parts[0].text.partition("\n")[0] if parts else ""), parts, package.warnings(counts))


class _Slide:
    """A slide and the parts of the package that belong to it."""

    def __init__(self, package: Package, part: str, counts: Counter[str]) -> None:
        self._package, self._part, self._counts = package, part, counts
        self._relations = package.relations(part)
        self._paragraphs = Paragraphs(counts)

    def blocks(self) -> list[str]:
        """Returns the texts of the shapes, then the notes."""
        found = list(self._texts(self._package.root(self._part)))
        for notes in self._package.related(self._part, "notesSlide"):
            bodies = (shape for shape in notes.iter(f"{_P}sp") if _placeholder(shape) == "body")
            found += [f"Notes: {text}" for text in map(self._paragraphs.text, bodies) if text]
        for comments in self._package.related(self._part, "comments"):
            self._counts["comment"] += sum(item.tag.endswith("}cm") for item in comments)
        return [text for text in found if text]

    def _texts(self, element: Element) -> Iterator[str]:
        if element.tag == ALTERNATE:
            form = chosen(element)
            yield from () if form is None else self._texts(form)
        elif element.tag == f"{_P}sp":
            if _placeholder(element) not in _NUMBERS:
                yield self._paragraphs.text(element)
        elif element.tag == f"{_P}cNvPr":
            if text := element.get("descr", "").strip():
                yield f"[picture: {text}]"
        elif element.tag == f"{A}tbl":
            yield "\n".join(tables.lines(self._rows(element)))
        elif element.tag == f"{charts.C}chart":
            yield self._chart(element.get(RELATION, ""))
        elif element.tag == f"{charts.DIAGRAM}relIds":
            yield self._diagram(element.get(f"{_RELATIONS}dm", ""))
        elif element.tag == f"{_P}oleObj":
            self._counts["embedded object"] += 1
        else:
            for inner in element:
                yield from self._texts(inner)

    def _chart(self, relation: str) -> str:
        text = charts.chart(root) if (root := self._other(relation)) is not None else ""
        self._counts["chart"] += not text
        return text

    def _diagram(self, relation: str) -> str:
        text = charts.diagram(root) if (root := self._other(relation)) is not None else ""
        self._counts["diagram"] += not text
        return text

    def _other(self, relation: str) -> Element | None:
        target = self._relations[relation].target if relation in self._relations else ""
        return self._package.root(target) if target in self._package.names else None

    def _rows(self, table: Element) -> list[list[str]]:
        """Returns the texts of the cells by row. A merged cell is repeated in each of its rows and columns.

        A cell that spans a whole row occurs once.
        """
        rows: list[list[str]] = []
        for row in table.findall(f"{A}tr"):
            texts: list[str] = []
            for cell in row.findall(f"{A}tc"):
                place = len(texts)
                if cell.get("vMerge", "") in ("1", "true") and rows and place < len(rows[-1]):
                    texts.append(rows[-1][place])
                elif cell.get("hMerge", "") in ("1", "true") and texts:
                    texts.append(texts[-1])
                else:
                    texts.append(" ".join(self._paragraphs.text(cell).split()))
            merged = [cell.get("hMerge", "") in ("1", "true") for cell in row.findall(f"{A}tc")]
            rows.append(texts[:1] if len(texts) > 1 and all(merged[1:]) else texts)
        return rows


def _placeholder(shape: Element) -> str:
    """Returns the kind of a placeholder ("body", "sldNum"); "" for other shapes."""
    found = next(iter(shape.iter(f"{_P}ph")), None)
    return "" if found is None else found.get("type", "")
