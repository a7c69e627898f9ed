"""Reads the text of a paragraph of a Word file, and the blocks that follow it: notes, text boxes, charts."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from raft_exp.corpora.readers.documents import charts, omml, symbols
from raft_exp.corpora.readers.documents.docx_lists import roman
from raft_exp.corpora.readers.documents.docx_styles import VAL, W, is_on, value
from raft_exp.corpora.readers.documents.ooxml import ALTERNATE, POWER, RELATION, Element, Package, chosen

_DESCRIBED = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}docPr"
_OBJECT = "{urn:schemas-microsoft-com:office:office}OLEObject"
_WORDART = "{urn:schemas-microsoft-com:vml}textpath"
_RELATIONS = RELATION.removesuffix("id")
_SIGNS = {f"{W}tab": "\t", f"{W}ptab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}
_NO_TEXT = {  # settings, properties, deleted text, and instructions of fields
    f"{W}{name}"
    for name in (
        *("pPr", "rPr", "tblPr", "tblGrid", "tblPrEx", "trPr", "tcPr", "sectPr", "sdtPr", "sdtEndPr", "rubyPr"),
        *("customXmlPr", "smartTagPr", "del", "moveFrom", "delText", "instrText", "delInstrText", "fldData"),
    )
}
_BOX = f"{W}txbxContent"
_BLOCKS = (f"{W}p", f"{W}tbl", f"{W}altChunk")
_NOTES = {f"{W}footnoteReference": "footnote", f"{W}endnoteReference": "endnote"}
_COUNTED = {f"{W}commentReference": "comment", f"{W}subDoc": "subdocument", f"{W}control": "ActiveX control"}


def placeholder(control: Element) -> bool:
    """Whether a content control shows only its prompt ("Click here to enter text")."""
    return is_on(control.find(f"{W}sdtPr/{W}showingPlcHdr"))


def inside(element: Element, *tags: str) -> Iterator[Element]:
    """Yields the nearest descendants with one of these tags, in order, through content controls and containers."""
    if element.tag == f"{W}sdt" and placeholder(element):
        return
    form = chosen(element) if element.tag == ALTERNATE else element
    for inner in form if form is not None else ():
        if inner.tag in tags:
            yield inner
        elif inner.tag not in _NO_TEXT:
            yield from inside(inner, *tags)


def blocks(container: Element) -> Iterator[Element]:
    """Yields the paragraphs, tables and inserted documents of a container."""
    return inside(container, *_BLOCKS)


@dataclass(frozen=True)
class After:
    """A block that follows the paragraph: a note with its mark in the text, or a text box (mark "")."""

    mark: str
    content: Element


class Texts:
    """Reads the text of paragraphs of one part. `after` collects the blocks that follow the paragraph."""

    def __init__(self, package: Package, part: str, counts: Counter[str]) -> None:
        self.after: list[str | After] = []  # str: the text of a chart, a diagram or WordArt
        self._package, self._counts = package, counts
        self._relations = package.relations(part)
        self._notes = {kind: _notes(package, part, kind) for kind in ("footnote", "endnote")}
        self._marks: Counter[str] = Counter()
        self._used = set[tuple[str, str]]()

    def text(self, paragraph: Element) -> str:
        """Returns the text of a paragraph, without deleted text."""
        return "".join(self._inside(paragraph))

    def unused_notes(self) -> list[Element]:
        """Returns the notes to which no paragraph refers."""
        notes = ((kind, id_, note) for kind, known in self._notes.items() for id_, note in known.items())
        return [note for kind, id_, note in notes if (kind, id_) not in self._used]

    def _inside(self, element: Element) -> Iterator[str]:
        for inner in element:
            yield from self._piece(inner)

    def _piece(self, element: Element) -> Iterator[str]:
        tag = element.tag
        if tag in _NO_TEXT:
            return
        if tag == f"{W}r":
            yield from self._run(element)
        elif tag in _SIGNS:
            yield _SIGNS[tag]
        elif tag in _NOTES:
            yield self._mark(_NOTES[tag], element)
        elif tag in _COUNTED:
            self._counts[_COUNTED[tag]] += 1
        elif tag in self._handlers:
            yield self._handlers[tag](self, element)
        elif tag == ALTERNATE:
            if (form := chosen(element)) is not None:
                yield from self._inside(form)
        elif not (tag == f"{W}sdt" and placeholder(element)):
            yield from self._inside(element)

    def _run(self, run: Element) -> Iterator[str]:
        if is_on(run.find(f"{W}rPr/{W}vanish")) and any((text.text or "").strip() for text in run.iter(f"{W}t")):
            self._counts["run of hidden text"] += 1
            return
        fonts = run.find(f"{W}rPr/{W}rFonts")
        font = "" if fonts is None else fonts.get(f"{W}ascii", "")
        raised = value(run, f"{W}rPr/{W}vertAlign") == "superscript"
        for inner in run:
            if inner.tag == f"{W}t":
                text, unknown = symbols.mapped(font, inner.text or "")
                self._counts["symbol"] += unknown
                yield f"^{text}" if raised and POWER.fullmatch(text.strip()) else text
            else:
                yield from self._piece(inner)

    def _symbol(self, element: Element) -> str:
        code = element.get(f"{W}char", "")
        try:
            text = symbols.symbol(element.get(f"{W}font", ""), int(code, 16))
        except (ValueError, OverflowError):
            text = ""
        self._counts["symbol"] += not text
        return text

    def _mark(self, kind: str, reference: Element) -> str:
        """Returns the mark of a note in the text: [1] for footnotes, [i] for endnotes, numbered as in Word."""
        id_ = reference.get(f"{W}id", "")
        note = self._notes[kind].get(id_)
        if note is None:
            self._counts[f"missing {kind}"] += 1
            return ""
        self._used.add((kind, id_))
        self._marks[kind] += 1
        number = self._marks[kind]
        mark = f"[{number if kind == 'footnote' else roman(number)}]"
        self.after.append(After(mark, note))
        return mark

    def _equation(self, element: Element) -> str:
        text = omml.latex(element).strip()
        self._counts["equation"] += not text
        sign = "$$" if element.tag == f"{omml.M}oMathPara" else "$"
        return f"{sign}{text}{sign}" if text else ""

    def _ruby(self, element: Element) -> str:
        """Returns East Asian text with its phonetic reading: base(reading)."""
        found = (element.find(f"{W}{name}") for name in ("rubyBase", "rt"))
        base, reading = ("" if part is None else "".join(self._inside(part)) for part in found)
        return f"{base}({reading})" if reading else base

    def _field(self, element: Element) -> str:
        """Returns the state of a check box, or the choice of a list, in a legacy form field."""
        if (box := element.find(f"{W}ffData/{W}checkBox")) is not None:
            state = box.find(f"{W}checked")
            return "☒" if is_on(state if state is not None else box.find(f"{W}default")) else "☐"
        if (choices := element.find(f"{W}ffData/{W}ddList")) is not None:
            entries = [entry.get(VAL, "") for entry in choices.findall(f"{W}listEntry")]
            place = value(choices, f"{W}result") or value(choices, f"{W}default") or "0"
            return entries[int(place)] if place.isdecimal() and int(place) < len(entries) else ""
        return ""

    def _picture(self, element: Element) -> str:
        """Returns the description of a drawing; its text boxes, charts and diagrams are added to `after`."""
        descriptions: list[str] = []
        for inner in inside(element, _BOX, _DESCRIBED, _WORDART, f"{charts.C}chart", f"{charts.DIAGRAM}relIds"):
            if inner.tag == _BOX:
                self.after.append(After("", inner))
            elif inner.tag == f"{charts.C}chart":
                self._figure(inner.get(RELATION, ""), charts.chart, "chart")
            elif inner.tag == f"{charts.DIAGRAM}relIds":
                self._figure(inner.get(f"{_RELATIONS}dm", ""), charts.diagram, "diagram")
            elif inner.tag == _WORDART:
                self.after.append(inner.get("string", ""))
            elif text := inner.get("descr", "").strip():
                descriptions.append(f"[picture: {text}]")
        return " ".join(descriptions)

    def _figure(self, relation: str, read: Callable[[Element], str], what: str) -> None:
        target = self._relations[relation].target if relation in self._relations else ""
        text = read(self._package.root(target)) if target in self._package.names else ""
        self._counts[what] += not text
        if text:
            self.after.append(text)

    def _object(self, element: Element) -> str:
        for program in (inner.get("ProgID", "") for inner in element.iter(_OBJECT)):
            self._counts["equation" if program.startswith("Equation") else "embedded object"] += 1
        return self._picture(element)

    _handlers: dict[str, Callable[["Texts", Element], str]] = {  # noqa: RUF012  # never changed
        f"{W}sym": _symbol,
        f"{W}ruby": _ruby,
        f"{W}fldChar": _field,
        f"{W}drawing": _picture,
        f"{W}pict": _picture,
        f"{W}object": _object,
        f"{omml.M}oMath": _equation,
        f"{omml.M}oMathPara": _equation,
    }


def _notes(package: Package, part: str, kind: str) -> dict[str, Element]:
    """Returns {id: note} of a kind of notes, without the lines that separate notes from the text."""
    found = (note for root in package.related(part, f"{kind}s") for note in root.findall(f"{W}{kind}"))
    return {note.get(f"{W}id", ""): note for note in found if note.get(f"{W}type", "normal") == "normal"}
