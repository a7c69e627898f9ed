"""A passage collection on disk: JSON lines with a memory-mapped index. Memory use does not grow with its size."""

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import numpy as np

from raft_exp.core.errors import DataError
from raft_exp.core.npy import Column, ReadFile, write_header
from raft_exp.core.records import Passage, dumps, loads, parse, read_jsonl
from raft_exp.core.text import Form, normalise, plain_words

REPEATED = "repeated.json"  # document -> ids of earlier passages whose text it repeats; no file without repetitions
TEXTS, OFFSETS, DOCUMENTS, TEXT_HASHES, IDS, ANY_LANGUAGE = (
    "passages.jsonl",
    "offsets.npy",
    "documents.npy",
    "texts.npy",
    "ids.npy",
    "any_language",  # an empty file, in collections whose texts are compared by `text.normalise`
)


def fingerprint(text: str) -> int:
    """Returns a 64-bit hash of a text, independent of case and white space."""
    return hash64(" ".join(text.casefold().split()))


def write_passages(folder: Path, passages: Iterable[Passage], any_language: bool = False, unique: bool = True) -> int:
    """Writes a collection into `folder` and returns the number of passages.

    `any_language`: texts of this collection are compared by `text.normalise` (which keeps numbers and signs), not by
    `text.plain_words`. Raises DataError for an empty collection and, if ids must be `unique`, for a repeated id.
    """
    if any_language:
        (folder / ANY_LANGUAGE).touch()
    ids = array("Q")
    with (
        (folder / TEXTS).open("wb") as file,
        Column(folder / OFFSETS, "<u8") as offsets,
        Column(folder / DOCUMENTS, "<u8") as documents,
        Column(folder / TEXT_HASHES, "<u8") as texts,
    ):
        for passage in passages:
            offsets.add(file.tell())
            documents.add(hash64(passage.document_id))
            texts.add(fingerprint(passage.text))
            ids.append(hash64(passage.id))
            file.write((dumps(passage) + "\n").encode())
    if not ids:
        raise DataError("the corpus has no passages; check that corpus.path names files with text")
    write_ids(folder, np.frombuffer(ids, dtype=np.uint64), unique)
    return len(ids)


def write_ids(folder: Path, ids: np.ndarray, unique: bool = True) -> None:
    """Writes the file IDS, an array of shape (2, n): the id hashes in ascending order, and the ordinal of each.

    `ids`: shape (n,), uint64, the hash of each passage id in the order of the file TEXTS, which must be complete.
    Raises DataError for a repeated id if ids must be `unique`.
    """
    order = np.argsort(ids, kind="stable").view(np.uint64)
    ranked = ids[order]
    repeated = np.flatnonzero(ranked[1:] == ranked[:-1])
    if unique and repeated.size:
        with (folder / TEXTS).open("rb") as file:
            for number, line in enumerate(file):
                if number == order[repeated[0]]:
                    raise DataError(f"passage id {loads(line)['id']!r} occurs twice; give each passage its own id")
    with (folder / IDS).open("wb") as file:
        write_header(file, "<u8", (2, len(ids)))
        file.write(ranked.data)
        file.write(order.data)


class Passages:
    """Read access to a collection, by ordinal (the index of a passage) and by passage id.

    Columns are memory-mapped. A passage is read from disk on access. The object cannot be pickled: each process opens
    the folder itself.

    `units`: shape (n,), the hash of each passage's unit: its document, or a section of it. None: its document.
    All questions about a unit are in one split (`corpora.split_units`). `shared`: a passage may be a distractor in
    every split, not only in the split of its unit.
    """

    def __init__(self, folder: Path, units: np.ndarray | None = None, shared: bool = False) -> None:
        self._offsets = mapped(folder / OFFSETS)
        self._ids, self._ordinals = mapped(folder / IDS)
        self.documents = mapped(folder / DOCUMENTS)  # (n,) hash of the document id
        self.texts = mapped(folder / TEXT_HASHES)  # (n,) fingerprint of the text
        self.units = self.documents if units is None else units  # (n,) hash of the unit, by default the document
        self.shared = shared
        self._file = folder / TEXTS
        self._data = ReadFile(self._file)
        self.any_language = (folder / ANY_LANGUAGE).exists()
        self.form: Form = normalise if self.any_language else plain_words  # the form in which texts are compared

    def with_units(self, units: np.ndarray, shared: bool) -> "Passages":
        """Returns the same collection with other `units` and `shared` (see the class)."""
        return Passages(self._file.parent, units, shared)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, ordinal: int) -> Passage:
        """Returns a passage. `ordinal`: from 0.

        Raises IndexError for a negative number or one beyond the last passage, and DataError for a damaged line.
        """
        if ordinal < 0:
            raise IndexError(ordinal)
        start = int(self._offsets[ordinal])
        try:
            return parse(Passage, self._data.read(start, self._end(ordinal)))
        except ValueError as error:
            raise DataError(
                f"{self._file}, line {ordinal + 1}: {error}; remove the folder {self._file.parent}, which contains "
                "this file, and run the study again"
            ) from error

    def __iter__(self) -> Iterator[Passage]:
        return read_jsonl(self._file, Passage)

    def find(self, passage_id: str) -> int:
        """Returns the ordinal of a passage id. Raises DataError for an id that is not in the collection."""
        wanted = hash64(passage_id)
        place = int(self._ids.searchsorted(np.uint64(wanted)))
        if place == len(self._ids) or int(self._ids[place]) != wanted:
            raise DataError(
                f"passage id {passage_id!r}: a question names this passage, but the corpus does not contain it; "
                "correct the question or add the passage"
            )
        return int(self._ordinals[place])

    def stored_bytes(self, ordinals: Iterable[int]) -> int:
        """Returns the size of these passages on disk in bytes, as a measure of their length. No passage is read."""
        return sum(self._end(ordinal) - int(self._offsets[ordinal]) for ordinal in ordinals)

    def _end(self, ordinal: int) -> int:
        return int(self._offsets[ordinal + 1]) if ordinal + 1 < len(self) else self._data.size

    def of_document(self, document_id: str) -> list[int]:
        """Returns the ordinals of the passages that hold the text of a document; [] for an unknown document.

        The document's own passages come first, in their order. Then follow passages of other documents with the same
        text as a passage of this document: a repeated passage is stored only once.
        """
        order, ranked = self._by_document
        wanted = np.uint64(hash64(document_id))
        first, last = np.searchsorted(ranked, wanted, "left"), np.searchsorted(ranked, wanted, "right")
        own = [int(ordinal) for ordinal in order[first:last]]
        return own + sorted({self.find(name) for name in self._repeated.get(document_id, ())} - set(own))

    @cached_property
    def _repeated(self) -> dict[str, list[str]]:
        """Document id -> ids of passages of other documents. Their texts are also in this document, but stored once."""
        file = self._file.parent / REPEATED
        repeated: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return repeated

    @cached_property
    def _by_document(self) -> tuple[np.ndarray, np.ndarray]:
        """Ordinals sorted by the hash of their document, and the sorted hashes; both of shape (n,)."""
        order = np.argsort(self.documents, kind="stable")
        return order, self.documents[order]

    def __reduce__(self) -> NoReturn:
        raise TypeError("Passages cannot be pickled; open the folder in each process")


def mapped(file: Path) -> np.ndarray:
    """Opens a .npy file as a memory-mapped array, as a plain ndarray: numpy's memmap class is slow to index."""
    array: np.ndarray = np.load(file, mmap_mode="r").view(np.ndarray)
    return array


def hash64(text: str) -> int:
    """Returns a 64-bit hash of a text, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
