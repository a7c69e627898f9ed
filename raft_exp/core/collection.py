"""A passage collection on disk: JSON lines and a memory-mapped index, so that memory does not grow with it."""

import hashlib
import json
import mmap
from array import array
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import numpy as np

from raft_exp.core.errors import DataError
from raft_exp.core.npy import Column, write_header
from raft_exp.core.records import Passage, dumps, loads, parse, read_jsonl
from raft_exp.core.text import Form, normalise, plain_words

REPEATED = "repeated.json"  # document -> ids of passages with the text left out of it; only where some was left out
TEXTS, OFFSETS, DOCUMENTS, TEXT_HASHES, IDS, ANY_LANGUAGE = (
    "passages.jsonl",
    "offsets.npy",
    "documents.npy",
    "texts.npy",
    "ids.npy",
    "any_language",  # an empty file, in collections whose texts are compared by `text.normalise`
)


def fingerprint(text: str) -> int:
    """64-bit hash of a text, independent of case and white space."""
    return hash64(" ".join(text.casefold().split()))


def write_passages(folder: Path, passages: Iterable[Passage], any_language: bool = False) -> int:
    """Writes a collection and returns its size. Raises DataError for a repeated id or an empty collection.

    `any_language`: its texts are compared by `text.normalise` (numbers and signs count), not by `text.plain_words`.
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
        raise DataError("the corpus has no passages; check corpus.path")
    _write_ids(folder, np.frombuffer(ids, dtype=np.uint64))
    return len(ids)


def _write_ids(folder: Path, ids: np.ndarray) -> None:
    """Writes an array of shape (2, n): the id hashes in ascending order, and the ordinal of each."""
    order = np.argsort(ids, kind="stable").view(np.uint64)
    ranked = ids[order]
    repeated = np.flatnonzero(ranked[1:] == ranked[:-1])
    if repeated.size:
        with (folder / TEXTS).open("rb") as file:
            for number, line in enumerate(file):
                if number == order[repeated[0]]:
                    raise DataError(f"passage id {loads(line)['id']!r} comes twice; ids must be unique")
    with (folder / IDS).open("wb") as file:
        write_header(file, "<u8", (2, len(ids)))
        file.write(ranked.data)
        file.write(order.data)


class Passages:
    """Read access by ordinal and by id. Columns are memory-mapped; a passage is read from disk on access.

    An ordinal is the index of a passage in the collection. Cannot be pickled: each process opens its own.
    """

    def __init__(self, folder: Path) -> None:
        self._offsets = mapped(folder / OFFSETS)
        self._ids, self._ordinals = mapped(folder / IDS)
        self.documents = mapped(folder / DOCUMENTS)  # (n,) hash of the document id
        self.texts = mapped(folder / TEXT_HASHES)  # (n,) fingerprint of the text
        with (folder / TEXTS).open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

        self._file = folder / TEXTS
        self.any_language = (folder / ANY_LANGUAGE).exists()
        self.form: Form = normalise if self.any_language else plain_words  # in which its texts are compared

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, ordinal: int) -> Passage:
        start = int(self._offsets[ordinal])
        end = self._data.find(b"\n", start)
        try:
            return parse(Passage, self._data[start:end])
        except ValueError as error:
            raise DataError(f"{self._file}, line {ordinal + 1}: {error}; remove the stage and run it again") from error

    def __iter__(self) -> Iterator[Passage]:
        return read_jsonl(
            self._file, Passage
        )  # not through the memory map: its pages would count as memory of this process

    def find(self, passage_id: str) -> int:
        """The ordinal of a passage id. Raises DataError when it is not in the collection."""
        wanted = hash64(passage_id)
        place = int(self._ids.searchsorted(np.uint64(wanted)))
        if place == len(self._ids) or int(self._ids[place]) != wanted:
            raise DataError(f"passage id {passage_id!r} is named by a question but is not in the collection")
        return int(self._ordinals[place])

    def of_document(self, document_id: str) -> list[int]:
        """The ordinals of the passages with the text of a document; [] for an unknown document.

        First the document's own passages, in their order. A passage that repeated one of another document is not in
        the collection: the ordinal of that other passage follows instead.
        """
        order, ranked = self._by_document
        wanted = np.uint64(hash64(document_id))
        first, last = np.searchsorted(ranked, wanted, "left"), np.searchsorted(ranked, wanted, "right")
        own = [int(ordinal) for ordinal in order[first:last]]
        return own + sorted({self.find(name) for name in self._repeated.get(document_id, ())} - set(own))

    @cached_property
    def _repeated(self) -> dict[str, list[str]]:
        """Ids of the passages that hold what was left out of a document, by document."""
        file = self._file.parent / REPEATED
        repeated: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return repeated

    @cached_property
    def _by_document(self) -> tuple[np.ndarray, np.ndarray]:
        """Ordinals sorted by the hash of their document, and those hashes."""
        order = np.argsort(self.documents, kind="stable")
        return order, self.documents[order]

    def __reduce__(self) -> NoReturn:
        raise TypeError("Passages cannot be pickled; open the folder in each process")


def mapped(file: Path) -> np.ndarray:
    """A memory-mapped array as a plain ndarray: numpy's memmap class is slow to index."""
    array: np.ndarray = np.load(file, mmap_mode="r").view(np.ndarray)
    return array


def hash64(text: str) -> int:
    """64-bit hash of a text, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
