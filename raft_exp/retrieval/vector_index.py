"""Builds the FAISS index of many vectors in little memory, and continues a build that was killed.

The index is an inverted file for dot products, with 8 bits for each component of a vector. Its bytes are those of
`faiss.write_index` for an index that has all vectors in memory. Here only a block of vectors is in memory at a time:

1. FAISS finds the lists' centres and the ranges of the components in a sample, and writes the empty index.
2. Each block is encoded, and its codes are appended to a file. A build that was killed continues at the first block
   that is not complete.
3. The codes are written list by list behind the head of the empty index.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from raft_exp.core.npy import ReadFile, Rows
from raft_exp.core.progress import track

if TYPE_CHECKING:
    import faiss

_ENCODED = 8_192  # vectors that FAISS encodes at once; constant, as its float32 products depend on this number
_SORTED = 2**27  # bytes of codes that are sorted by list at once
_SAMPLE = 64  # vectors in the training sample for each list; the lists' centres are learned from this sample
_LARGEST_SAMPLE = 750_000  # vectors: 1.1 GiB at 384 dimensions


def build_index(vectors: np.ndarray | Rows, file: Path) -> None:
    """Writes a FAISS index of `vectors`, shape (vectors, dimensions), to `file`. Keeps a `file` that exists."""
    codes, partial = file.with_suffix(".codes"), file.with_suffix(".partial")
    if not file.exists():
        empty = _empty_index(vectors, file.with_suffix(".empty"))
        _encode(empty, vectors, codes)
        _write(empty, len(vectors), codes, partial)
        partial.replace(file)
    for suffix in (".codes", ".empty", ".training"):  # left by this build, or by one that was killed right here
        file.with_suffix(suffix).unlink(missing_ok=True)


def _empty_index(vectors: np.ndarray | Rows, file: Path) -> "faiss.IndexIVFScalarQuantizer":
    """Trains an index, or reads the one that an earlier run trained."""
    import faiss

    if not file.exists():
        count, width = vectors.shape
        lists = max(1, min(int(4 * count**0.5), count // 40))
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(width), width, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        sample = min(_SAMPLE * lists, _LARGEST_SAMPLE)
        index.train(np.ascontiguousarray(vectors[:: max(1, count // sample)]))
        partial = file.with_suffix(".training")
        faiss.write_index(index, str(partial))
        partial.replace(file)
    trained: faiss.IndexIVFScalarQuantizer = faiss.read_index(str(file))  # type: ignore[assignment]
    return trained


def _encode(empty: "faiss.IndexIVFScalarQuantizer", vectors: np.ndarray | Rows, file: Path) -> None:
    """Appends the missing codes: for each vector the number of its list, then its code."""
    size = empty.sa_code_size()
    with file.open("ab") as codes:
        done = codes.tell() // (size * _ENCODED) * _ENCODED
        codes.truncate(done * size)
        starts = range(done, len(vectors), _ENCODED)
        for start in track(starts, "indexing vectors", -(-len(vectors) // _ENCODED), done // _ENCODED):
            block = np.ascontiguousarray(vectors[start : start + _ENCODED])
            codes.write(empty.sa_encode(block).data)
        codes.flush()
        os.fsync(codes.fileno())


def _write(empty: "faiss.IndexIVFScalarQuantizer", count: int, codes: Path, file: Path) -> None:
    """Writes the index of `count` vectors: the head, the sizes of the lists, then codes and ids of each list."""
    sizes, width = np.zeros(empty.nlist, dtype=np.int64), empty.code_size
    for _, lists, _ in _blocks(empty, count, codes):
        sizes += np.bincount(lists, minlength=len(sizes))
    with file.open("wb") as out:
        _write_head(empty, count, sizes, out)
        starts = out.tell() + np.cumsum(sizes * (width + 8)) - sizes * (width + 8)
        done = np.zeros_like(sizes)  # vectors of each list that are written
        for first, lists, block in _blocks(empty, count, codes):
            order = np.argsort(lists, kind="stable")
            ordered, ids = block[order], (first + order).astype("<i8")
            here = np.bincount(lists, minlength=len(sizes))
            ends = np.cumsum(here)
            for number in np.flatnonzero(here).tolist():
                part = slice(int(ends[number] - here[number]), int(ends[number]))
                out.seek(int(starts[number] + done[number] * width))
                out.write(np.ascontiguousarray(ordered[part]).data)
                out.seek(int(starts[number] + sizes[number] * width + done[number] * 8))
                out.write(ids[part].data)
            done += here
        out.flush()
        os.fsync(out.fileno())


def _blocks(
    empty: "faiss.IndexIVFScalarQuantizer", count: int, codes: Path
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields blocks of the encoded vectors: the first vector's number, the list of each vector, and the codes."""
    size, file = empty.sa_code_size(), ReadFile(codes)
    for first in range(0, count, _SORTED // size):
        block = np.empty((min(_SORTED // size, count - first), size), dtype=np.uint8)
        file.fill(block, first * size)
        wide = np.zeros((len(block), 8), dtype=np.uint8)
        wide[:, : size - empty.code_size] = block[:, : size - empty.code_size]  # the list's number, lowest byte first
        yield first, wide.view("<i8")[:, 0], block[:, size - empty.code_size :]


def _write_head(empty: "faiss.IndexIVFScalarQuantizer", count: int, sizes: np.ndarray, out: BinaryIO) -> None:
    """Writes all that stands before the codes, as `write_InvertedLists` of FAISS does (index_write.cpp)."""
    import faiss

    head = faiss.deserialize_index(faiss.serialize_index(empty))
    head.replace_invlists(None, False)  # type: ignore[attr-defined]
    head.ntotal = count
    without_lists = faiss.serialize_index(head).tobytes()
    assert without_lists.endswith(b"il00"), "FAISS writes the inverted lists at the end of the file"
    out.write(without_lists[: -len(b"il00")])
    out.write(b"ilar" + np.array([len(sizes), empty.code_size], dtype="<u8").tobytes())
    filled = np.flatnonzero(sizes)
    if len(filled) > len(sizes) // 2:
        kind, listed = b"full", sizes
    else:
        kind, listed = b"sprs", np.stack([filled, sizes[filled]], axis=1).reshape(-1)
    out.write(kind + np.array([len(listed), *listed.tolist()], dtype="<u8").tobytes())
