"""Reads Rich Text (RTF): headings by outline levels, rows of tables, and notes after their paragraph."""

import codecs
import re
from collections import Counter
from dataclasses import dataclass, field, replace

from raft_exp.corpora.readers.documents import tables
from raft_exp.corpora.readers.documents.document import Document, Outline, UnreadableError
from raft_exp.corpora.readers.documents.ooxml import POWER, not_read

_TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+|([^\\{}\r\n]+)"
)
_SIGNS = {"tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
          "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ", "~": "\u00a0", "_": "-", "{": "{", "}": "}",
          "\\": "\\"}  # fmt: skip
_SKIPPED = {
    *("fonttbl", "colortbl", "stylesheet", "info", "pict", "listtable", "listoverridetable", "themedata", "datastore"),
    *(
        "generator",
        "xmlnstbl",
        "rsidtbl",
        "latentstyles",
        "fldinst",
        "filetbl",
        "revtbl",
        "objdata",
        "nonshppict",
        "header",
    ),
    *("footer", "headerl", "headerr", "headerf", "footerl", "footerr", "footerf", "bkmkstart", "bkmkend", "ftnsep"),
    *("ftnsepc", "aftnsep", "aftnsepc", "panose", "falt", "template", "mmath"),
}
_COUNTED = {"object": "embedded object", "annotation": "comment", "mmath": "equation", "header": "page header",
            "headerr": "page header", "headerl": "page header", "headerf": "page header", "footer": "page footer",
            "footerr": "page footer", "footerl": "page footer", "footerf": "page footer"}  # fmt: skip
_READ = ("listtext", "pntext", "shptxt")  # shown numbers of list items; text boxes


@dataclass(frozen=True)
class _State:
    """The formatting state inside a group."""

    skipped: bool = False
    hidden: bool = False
    note: bool = False
    raised: bool = False
    encoding: str = "cp1252"
    replaced: int = 1  # characters that follow a Unicode character as its replacement in old programs; they are skipped


@dataclass
class _Page:
    """The text that has been read so far."""

    outline: Outline = field(default_factory=Outline)
    paragraph: str = ""
    note: str = ""
    notes: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    in_table: bool = False
    level: int = 0  # of the heading that the paragraph is; 0: none
    numbers: int = 0

    def end_paragraph(self) -> None:
        if self.in_table:
            self.paragraph += " "
            return
        if self.level:
            self.outline.heading(self.level, self.paragraph)
        else:
            self.outline.block(self.paragraph.strip())
        self.paragraph = ""
        self.end_notes()

    def end_notes(self) -> None:
        for note in self.notes:
            self.outline.block(note)
        self.notes = []

    def end_cell(self) -> None:
        self.cells.append(" ".join(self.paragraph.split()))
        self.paragraph = ""

    def end_row(self) -> None:
        for line in tables.lines([self.cells]):
            self.outline.block(line, "\n")
        self.cells = []
        self.end_notes()

    def begin_note(self) -> None:
        self.numbers += 1
        self.paragraph += f"[{self.numbers}]"
        self.note = ""

    def end_note(self) -> None:
        self.notes.append(f"[{self.numbers}] {' '.join(self.note.split())}")


def read(data: bytes) -> Document:
    """Reads the text in order. Deleted and hidden text is left out."""
    if not data.lstrip().startswith(b"{\\rtf"):
        raise UnreadableError("not what its suffix says", f"not an RTF file: it begins with {data[:12]!r}")
    page, counts = _Page(), Counter[str]()
    state, stack, skip = _State(), [], 0
    pending = b""  # bytes in the encoding of the file, to be decoded together: two bytes may be one character
    for token in _TOKEN.finditer(data.decode("latin-1")):
        word, number, code, sign, brace, text = token.groups()
        if code is None and pending:
            _add(page, state, pending.decode(state.encoding, errors="replace"))
            pending = b""
        if brace == "{":
            stack.append(state)
        elif brace == "}" and stack:
            if state.note and not stack[-1].note:
                page.end_note()
            state = stack.pop()
        elif skip and (code or text or sign):
            kept = (text or "")[skip:]
            skip = max(0, skip - len(text or "1"))
            _add(page, state, kept)
        elif code:
            pending += bytes([int(code, 16)])
        elif text:
            _add(page, state, f"^{text}" if state.raised and POWER.fullmatch(text.strip()) else text)
        elif sign == "*":
            state = replace(state, skipped=True)
        elif sign:
            _add(page, state, _SIGNS.get(sign, ""))
        elif word == "u" and number:
            _add(page, state, chr(int(number) % 0x10000))
            skip = state.replaced
        elif word:
            if word in _COUNTED and not (stack and stack[-1].skipped):
                counts[_COUNTED[word]] += 1
            state = _command(page, state, word, number)
    page.end_paragraph()
    if page.cells:
        page.end_row()
    parts = [replace(part, text=_joined_surrogates(part.text)) for part in page.outline.parts()]
    return Document(page.outline.first, parts, not_read(counts))


def _add(page: _Page, state: _State, text: str) -> None:
    if state.skipped or state.hidden:
        return
    if state.note:
        page.note += text
    else:
        page.paragraph += text


def _command(page: _Page, state: _State, word: str, number: str | None) -> _State:
    """Returns the state after a control word. The word may end a paragraph, a cell or a row."""
    if word == "footnote":
        page.begin_note()
        return replace(state, note=True, skipped=False)
    if word in _READ:
        return replace(state, skipped=False)
    if word in _SKIPPED or word == "annotation":
        return replace(state, skipped=True)
    if word == "ansicpg" and number:
        return replace(state, encoding=_encoding(f"cp{number}"))
    if word == "uc" and number:
        return replace(state, replaced=int(number))
    if word in ("super", "nosupersub", "sub"):
        return replace(state, raised=word == "super" and number != "0")
    if word in ("v", "deleted"):
        return replace(state, hidden=number != "0")
    if word in _SIGNS:
        _add(page, state, _SIGNS[word])
    elif not state.skipped and not state.note:
        _layout(page, word, number)
    return state


def _layout(page: _Page, word: str, number: str | None) -> None:
    if word in ("par", "sect", "page"):
        page.end_paragraph()
    elif word in ("cell", "nestcell"):
        page.end_cell()
    elif word in ("row", "nestrow"):
        page.end_row()
    elif word == "pard":
        page.in_table, page.level = False, 0
    elif word == "intbl":
        page.in_table = True
    elif word == "outlinelevel" and number:
        page.level = int(number) + 1 if number in list("012345678") else 0


def _encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"


def _joined_surrogates(text: str) -> str:
    """Joins the two halves in which RTF writes characters beyond U+FFFF."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", errors="replace")
