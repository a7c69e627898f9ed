"""Reads the passages of documents from the cache, and leaves out passages that repeat an earlier one."""

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from raft_exp.core.collection import fingerprint
from raft_exp.core.records import Passage
from raft_exp.corpora.documents.chunks import ChunkConfig
from raft_exp.corpora.documents.extraction import Header
from raft_exp.corpora.documents.near_copies import NearCopies
from raft_exp.corpora.documents.report import DocumentFigures


class _Row(TypedDict):
    """A passage in the cache."""

    text: str
    sentences: list[str]
    place: str
    sketch: list[int]  # see `near_copies.py`


@dataclass(frozen=True)
class CutDocument:
    """A document that was read: name, header, cache file of its passages, and its figures in the report."""

    name: str
    header: Header
    file: Path
    figures: DocumentFigures

    @property
    def title(self) -> str:
        """The document's own title, else the name of its file."""
        return self.header["title"] or Path(self.name).stem


class PassageStream:
    """Iterates once over the passages of documents, and counts them in the figures of each document."""

    def __init__(self, documents: Sequence[CutDocument], config: ChunkConfig) -> None:
        self.count = 0  # passages so far
        self.repeated: dict[str, dict[str, None]] = {}  # document -> ids of earlier passages whose text it repeats
        self._documents, self._config = documents, config
        self._places = array("Q")  # 3 numbers per passage: index of the document, number in it, offset in the file
        self._seen: dict[int, int] = {}  # fingerprint -> number of the passage
        self._near = NearCopies(self._read)

    def __iter__(self) -> Iterator[Passage]:
        for place, document in enumerate(self._documents):
            with document.file.open("rb") as lines:
                offset = 0
                for number, line in enumerate(lines):
                    row: _Row = json.loads(line)
                    words = fingerprint(row["text"])
                    if self._is_new(row, words, place):
                        self._add(row, words, (place, number, offset))
                        document.figures["passages"] += 1
                        yield self._passage(document, number, row)
                    offset += len(line)

    def _is_new(self, row: _Row, words: int, place: int) -> bool:
        document = self._documents[place]
        if (same := self._seen.get(words)) is not None:
            document.figures["duplicates"] += 1
            self._repeats(document, same)
            return False
        found = self._near.find(row["text"], row["sketch"], place) if self._config.near_copies != "keep" else None
        if found and (found.kind == "contained" or self._config.near_copies == "similar"):
            document.figures["near_duplicates"] += 1
            self._repeats(document, found.earlier)
            return False
        document.figures["similar"] += found is not None
        return True

    def _add(self, row: _Row, words: int, at: tuple[int, int, int]) -> None:
        self._seen[words] = self.count
        if self._config.near_copies != "keep":
            self._near.add(row["sketch"], self.count)
        self._places.extend(at)
        self.count += 1

    def _repeats(self, document: CutDocument, earlier: int) -> None:
        place, number = self._places[3 * earlier : 3 * earlier + 2]
        self.repeated.setdefault(document.name, {})[_id(self._documents[place], number)] = None

    def _passage(self, document: CutDocument, number: int, row: _Row) -> Passage:
        text, sentences = row["text"], row["sentences"]
        if self._config.context:
            line = context(document.title, row["place"])
            text, sentences = f"{line}\n{text}", [line, f"\n{sentences[0]}", *sentences[1:]]
        return Passage(
            id=_id(document, number),
            document_id=document.name,
            title=document.title,
            source=document.name,
            text=text,
            sentences=sentences,
            place=row["place"],
        )

    def _read(self, passage: int) -> tuple[int, str]:
        """Returns (index of the document, text) of a passage by its number."""
        place, _, offset = self._places[3 * passage : 3 * passage + 3]
        with self._documents[place].file.open("rb") as lines:
            lines.seek(offset)
            row: _Row = json.loads(lines.readline())
            return place, row["text"]


def _id(document: CutDocument, number: int) -> str:
    return f"{document.name}#{number}"


def context(title: str, place: str) -> str:
    """Returns the line "title > section" of a passage; without a section, only the title."""
    section = place.removeprefix("section ") if place.startswith("section ") else ""
    return " > ".join(dict.fromkeys(filter(None, (" ".join(title.split()), " ".join(section.split())))))
