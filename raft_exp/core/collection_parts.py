"""Joins the parts of a passage collection that several tasks wrote.

A part contains either every Nth block of passages, or a range of passages.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate, cycle, islice
from pathlib import Path

import numpy as np

from raft_exp.core.collection import (
    ANY_LANGUAGE,
    DOCUMENTS,
    IDS,
    OFFSETS,
    TEXT_HASHES,
    TEXTS,
    fingerprint,
    hash64,
    mapped,
    write_ids,
    write_passages,
)
from raft_exp.core.npy import Column, Rows
from raft_exp.core.records import Passage, dumps

BLOCK = 1024  # passages; block n of a collection is in part n modulo the number of parts


@dataclass(frozen=True)
class Block:
    """Consecutive passages: their lines of the file TEXTS, and their values of each column (shape (n,), uint64)."""

    lines: bytes
    starts: np.ndarray  # byte offset of each line in `lines`
    documents: np.ndarray  # hash of the document id
    texts: np.ndarray  # fingerprint of the text
    ids: np.ndarray  # hash of the passage id

    def __len__(self) -> int:
        return len(self.starts)

    def only(self, kept: np.ndarray) -> "Block":
        """Returns a block of the passages whose value in `kept` is true. `kept`: shape (n,), boolean."""
        if kept.all():
            return self
        ends = [*self.starts[1:].tolist(), len(self.lines)]
        places = zip(self.starts.tolist(), ends, kept.tolist(), strict=True)
        lines = [self.lines[start:end] for start, end, is_kept in places if is_kept]
        return Block(b"".join(lines), _starts(lines), self.documents[kept], self.texts[kept], self.ids[kept])


def write_part(folder: Path, passages: Iterable[Passage], unique: bool = True) -> int:
    """Writes the passages of a part into `folder`, and returns their number. For an empty part, writes no file.

    Raises DataError for a repeated id if ids must be `unique`.
    """
    passages = iter(passages)
    first = next(passages, None)
    return 0 if first is None else write_passages(folder, _chained(first, passages), unique=unique)


def join_parts(folder: Path, parts: Sequence[Path], any_language: bool = False) -> int:
    """Writes into `folder` the collection of N `parts`, each of which has every Nth block.

    Returns the number of passages. Raises the errors of `write_blocks`.
    """
    return write_blocks(folder, in_turn([part_blocks(part) for part in parts]), any_language)


def write_blocks(folder: Path, blocks: Iterable[Block], any_language: bool = False) -> int:
    """Writes a collection into `folder`, with the files that `write_passages` writes.

    Returns the number of passages. Raises DataError as `write_passages` does.
    """
    filled = (block for block in blocks if len(block))
    block = next(filled, None)
    if block is None:
        return write_passages(folder, (), any_language)  # raises the error of an empty collection
    if any_language:
        (folder / ANY_LANGUAGE).touch()
    ids = array("Q")
    with ExitStack() as files:
        lines = files.enter_context((folder / TEXTS).open("wb"))
        offsets, documents, texts = (
            files.enter_context(Column(folder / name, "<u8")) for name in (OFFSETS, DOCUMENTS, TEXT_HASHES)
        )
        while block is not None:
            offsets.extend(block.starts + np.uint64(lines.tell()))
            documents.extend(block.documents)
            texts.extend(block.texts)
            ids.frombytes(block.ids.tobytes())
            lines.write(block.lines)
            block = next(filled, None)
    write_ids(folder, np.frombuffer(ids, dtype=np.uint64))
    return len(ids)


def blocks_of(passages: Iterable[Passage]) -> Iterator[Block]:
    """Yields passages as blocks of `BLOCK` passages; the last block may be smaller."""
    passages = iter(passages)
    while some := list(islice(passages, BLOCK)):
        lines = [(dumps(passage) + "\n").encode() for passage in some]
        columns = (
            [hash64(passage.document_id) for passage in some],
            [fingerprint(passage.text) for passage in some],
            [hash64(passage.id) for passage in some],
        )
        yield Block(b"".join(lines), _starts(lines), *(np.array(column, dtype=np.uint64) for column in columns))


def in_turn(streams: Sequence[Iterator[Block]]) -> Iterator[Block]:
    """Yields one block of each stream in turn, again and again. Ends at the first stream without a further block."""
    for stream in cycle(streams):
        block = next(stream, None)
        if block is None:
            return
        yield block


def part_blocks(part: Path) -> Iterator[Block]:
    """Yields the blocks of a part; none for an empty part."""
    if not (part / TEXTS).exists():
        return
    offsets, documents, texts = (Rows(part / name) for name in (OFFSETS, DOCUMENTS, TEXT_HASHES))
    ids = _ids(part)
    with (part / TEXTS).open("rb") as file:
        for first in range(0, len(ids), BLOCK):
            own = slice(first, min(first + BLOCK, len(ids)))
            starts = offsets[first : own.stop + 1]
            size = int(starts[-1] - starts[0]) if own.stop < len(ids) else -1
            starts = starts[: own.stop - first] - starts[0]
            yield Block(file.read(size), starts, documents[own], texts[own], ids[own])


def _ids(part: Path) -> np.ndarray:
    """Returns the id hashes of a part in the order of its passages."""
    ranked, order = mapped(part / IDS)
    ids = np.empty(len(ranked), dtype=np.uint64)
    ids[order] = ranked
    return ids


def _starts(lines: Sequence[bytes]) -> np.ndarray:
    """Returns the byte offset of each line in the joined lines."""
    return np.array([0, *accumulate(map(len, lines))][:-1], dtype=np.uint64)


def _chained(first: Passage, rest: Iterator[Passage]) -> Iterator[Passage]:
    yield first
    yield from rest
