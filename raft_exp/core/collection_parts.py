"""A passage collection from parts that several tasks wrote, each with every Nth block of passages."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from raft_exp.core.collection import (
    ANY_LANGUAGE,
    DOCUMENTS,
    IDS,
    OFFSETS,
    TEXT_HASHES,
    TEXTS,
    mapped,
    write_ids,
    write_passages,
)
from raft_exp.core.npy import Column
from raft_exp.core.records import Passage

BLOCK = 1024  # passages; block n of a collection is in part n modulo the number of parts


@dataclass(frozen=True)
class _Block:
    """Consecutive passages of a part: their lines in the file TEXTS, and a value of each column for each passage."""

    lines: bytes
    starts: np.ndarray  # of the lines, in bytes from the first
    documents: np.ndarray
    texts: np.ndarray
    ids: np.ndarray


def write_part(folder: Path, passages: Iterable[Passage]) -> int:
    """Writes the passages of a part into `folder`, and returns their number. A part may be empty."""
    passages = iter(passages)
    first = next(passages, None)
    return 0 if first is None else write_passages(folder, _chained(first, passages))


def join_parts(folder: Path, parts: Sequence[Path], any_language: bool = False) -> int:
    """Writes the collection of `parts` into `folder`, with the files that `write_passages` writes.

    Returns the number of passages. Raises DataError as `write_passages` does.
    """
    streams = cycle([_blocks(part) for part in parts])
    block = next(next(streams), None)
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
            block = next(next(streams), None)
    write_ids(folder, np.frombuffer(ids, dtype=np.uint64))
    return len(ids)


def _blocks(part: Path) -> Iterator[_Block]:
    if not (part / TEXTS).exists():
        return
    offsets, documents, texts = (mapped(part / name) for name in (OFFSETS, DOCUMENTS, TEXT_HASHES))
    ranked, order = mapped(part / IDS)
    ids = np.empty(len(offsets), dtype=np.uint64)
    ids[order] = ranked
    with (part / TEXTS).open("rb") as file:
        for first in range(0, len(offsets), BLOCK):
            last = min(first + BLOCK, len(offsets))
            size = int(offsets[last] - offsets[first]) if last < len(offsets) else -1
            own = slice(first, last)
            yield _Block(file.read(size), offsets[own] - offsets[first], documents[own], texts[own], ids[own])


def _chained(first: Passage, rest: Iterator[Passage]) -> Iterator[Passage]:
    yield first
    yield from rest
