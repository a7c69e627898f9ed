"""The result of a reader: a title, and parts with their place in the document."""

from dataclasses import dataclass, field
from typing import Literal

Reason = Literal[
    "encrypted",
    "empty",
    "not what its suffix says",
    "damaged",
    "garbled",
    "no text",
    "not decoded",
    "unsupported",
    "too large",
    "took too long",
    "too much memory",
    "outside the folder",
    "not a readable file",
]

_HEADING = 80  # largest number of characters of a heading in a place


class UnreadableError(Exception):
    """The error for a file without readable text. `reason` is a short category; `detail` explains it to the user."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Part:
    """A part of a document: a page, slide, section, paragraph, row or record (`kind`), with number or heading
    (`label`).
    """

    text: str
    kind: str = ""  # "" for text before the first heading
    label: str = ""
    flow: str = ""  # a sheet of a workbook: no passage runs from one flow into another


@dataclass(frozen=True)
class Document:
    """A document's text in its original order. `warnings`: text that was left out, and guesses of the reader."""

    title: str  # "" where the document has none
    parts: list[Part]
    warnings: list[str] = field(default_factory=list)


class Outline:
    """Collects headings and blocks of text into sections. A heading without text is merged into the next section."""

    def __init__(self) -> None:
        self.first = ""  # first heading
        self._parts: list[Part] = []
        self._path: list[tuple[int, str]] = []
        self._pieces: list[str] = []
        self._has_body = False

    def heading(self, level: int, name: str, source: str = "") -> None:
        """Adds a heading. `source`: the heading as it stands in the text, if it differs from `name`."""
        name = " ".join(name.split())
        if not name:
            return
        if self._has_body:
            self._close()
        self.first = self.first or name
        self._path = [(above, heading) for above, heading in self._path if above < level] + [(level, name)]
        self._add(source or name, "\n\n")

    def block(self, text: str, separator: str = "\n\n") -> None:
        """Adds a paragraph, or with separator "\\n" a line of a list or table."""
        if text.strip():
            self._add(text.strip("\n"), separator if self._has_body else "\n\n")
            self._has_body = True

    def parts(self) -> list[Part]:
        """Returns the sections collected so far."""
        if self._pieces:
            self._close()
        return self._parts

    def _add(self, text: str, separator: str) -> None:
        self._pieces.append(separator + text if self._pieces else text)

    def _close(self) -> None:
        names = [name[:_HEADING] for _, name in self._path]
        # without this, the title of the document would begin every label
        label = " > ".join(names[1:] if len(names) > 1 and self._path[0][1] == self.first else names)
        self._parts.append(Part("".join(self._pieces), "section" if label else "", label))
        self._pieces, self._has_body = [], False
