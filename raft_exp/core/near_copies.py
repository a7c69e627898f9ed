"""Finds near copies: pairs of texts where one contains most of the shingles of the other.

The measure is the containment of the smaller text in the larger one (A. Broder, "On the resemblance and containment of
documents", 1997). It finds copies with changed words or sentences, and copies inside a longer text. A product of sparse
matrices (SciPy) counts the shared shingles exactly, so that no pair is missed.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from raft_exp.core.shingles import Shingles

CONTAINMENT = 0.5  # least share of the smaller text's shingles that a near copy has in common with the other text
LEAST_SHINGLES = 16  # least number of distinctive shingles (20 units): shorter texts are alike by chance
MOST_TEXTS = 20  # a shingle in more texts than this, or in more than half of them, is boilerplate
_LEAST_UNITS = 5  # a shorter text is boilerplate
_LEAST_UNITS_REPEATED, _FEW_DOCUMENTS = 20, 3  # also a text of fewer than 20 units in more than 3 documents
_BATCH = 1000  # rows of one product
_COUNTERS = 1 << 26  # bytes of the table that counts shingles, by their hashes


class NearCopy(NamedTuple):
    """The indices of two texts in their lists."""

    first: int
    second: int


class _Matrix(NamedTuple):
    """A sparse matrix of texts x vocabulary in coordinate form. `sizes`: the number of shingles of each text."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    sizes: NDArray[np.int64]


def near_copies(first: Iterable[Shingles], second: Iterable[Shingles], repeating: bool = False) -> Iterator[NearCopy]:
    """Yields the pairs (text of `first`, text of `second`) that are near copies.

    `first` is streamed: memory holds all shingles of `second`, but of `first` only those that `second` has too.
    `repeating`: texts of `first` may contain the same passages many times, so that `second` alone decides which
    shingles are boilerplate.
    """
    vocabulary, indexed = _index(list(second))
    streamed = _look_up(first, vocabulary)
    counts, size = _texts(indexed, vocabulary), len(indexed.sizes)
    if not repeating:
        counts, size = counts + _texts(streamed, vocabulary), size + len(streamed.sizes)
    yield from _pairs(*_distinctive(streamed, indexed, counts, size))


def near_copies_within(texts: Callable[[], Iterable[Shingles]], owners: NDArray[np.uint64]) -> Iterator[NearCopy]:
    """Yields the near copies within one list, each pair once. The two texts of a pair have different owners.

    `texts` returns a new iterator over the list and is called twice: the first pass counts the shingles, and the second
    pass stores those that occur more than once. `owners`: shape (n,), the hash of each text's owner; the owner of
    a passage is its document. Shingles that occur in the texts of many owners are boilerplate and are not compared.
    """
    counts = np.zeros(_COUNTERS, dtype=np.uint8)
    for one in texts():
        places = one % _COUNTERS
        counts[places] = np.minimum(counts[places], 254) + 1
    repeated, sizes = [], []
    for one in texts():
        found = counts[one % _COUNTERS]
        repeated.append(one[(found > 1) & (found < 255)])
        sizes.append(len(one) - np.count_nonzero(found == 255))
    vocabulary, matrix = _index(repeated)
    matrix = matrix._replace(sizes=np.array(sizes, dtype=np.int64))
    names, owner = np.unique(owners, return_inverse=True)
    pairs = np.unique(np.stack([matrix.columns, owner[matrix.rows]]), axis=1)
    owned = np.bincount(pairs[0], minlength=len(vocabulary))
    for pair in _pairs(*_distinctive(matrix, matrix, owned, len(names))):
        if pair.first < pair.second and owner[pair.first] != owner[pair.second]:
            yield pair


def is_boilerplate(size: int, documents: int) -> bool:
    """Whether a text is boilerplate, for example "None." or a licence line.

    `size`: number of units of the text (`core.shingles`). `documents`: number of documents that contain the text.
    """
    short = size < _LEAST_UNITS or (size < _LEAST_UNITS_REPEATED and documents > _FEW_DOCUMENTS)
    return short or documents > MOST_TEXTS


def _index(sets: list[Shingles]) -> tuple[Shingles, _Matrix]:
    sizes = np.array([len(one) for one in sets], dtype=np.int64)
    together = np.concatenate([np.empty(0, dtype=np.uint64), *sets])
    vocabulary, columns = np.unique(together, return_inverse=True)
    return vocabulary, _Matrix(np.repeat(np.arange(len(sets)), sizes), columns, sizes)


def _look_up(sets: Iterable[Shingles], vocabulary: Shingles) -> _Matrix:
    sizes, rows, columns = [], [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for row, one in enumerate(sets):
        sizes.append(len(one))
        places = np.minimum(np.searchsorted(vocabulary, one), max(len(vocabulary) - 1, 0))
        known = places[vocabulary[places] == one] if len(vocabulary) else places[:0]
        rows.append(np.full(len(known), row))
        columns.append(known)
    return _Matrix(np.concatenate(rows), np.concatenate(columns), np.array(sizes, dtype=np.int64))


def _texts(matrix: _Matrix, vocabulary: Shingles) -> NDArray[np.int64]:
    return np.bincount(matrix.columns, minlength=len(vocabulary))


def _distinctive(
    first: _Matrix, second: _Matrix, counts: NDArray[np.int64], texts: int
) -> tuple[_Matrix, _Matrix, int]:
    """Returns both matrices without boilerplate shingles, and the size of the vocabulary.

    `counts`: number of texts that have each shingle of the vocabulary; `texts`: number of all texts.
    """
    distinctive = counts <= min(MOST_TEXTS, max(2, texts // 2))

    def without_boilerplate(matrix: _Matrix) -> _Matrix:
        chosen = distinctive[matrix.columns]
        dropped = np.bincount(matrix.rows[~chosen], minlength=len(matrix.sizes))
        return _Matrix(matrix.rows[chosen], matrix.columns[chosen], matrix.sizes - dropped)

    return without_boilerplate(first), without_boilerplate(second), len(counts)


def _pairs(first: _Matrix, second: _Matrix, vocabulary: int) -> Iterator[NearCopy]:
    from scipy.sparse import csr_matrix  # slow to import

    if not vocabulary:
        return

    def sparse(matrix: _Matrix) -> csr_matrix:
        ones = np.ones(len(matrix.rows), dtype=np.int32)
        return csr_matrix((ones, (matrix.rows, matrix.columns)), shape=(len(matrix.sizes), vocabulary))

    left, right = sparse(first), sparse(second).T.tocsr()
    for start in range(0, len(first.sizes), _BATCH):
        shared = (left[start : start + _BATCH] @ right).tocoo()
        smaller = np.minimum(first.sizes[start + shared.row], second.sizes[shared.col])
        close = (shared.data >= CONTAINMENT * smaller) & (smaller >= LEAST_SHINGLES)
        for row, column in sorted(zip(shared.row[close].tolist(), shared.col[close].tolist(), strict=True)):
            yield NearCopy(start + row, column)
