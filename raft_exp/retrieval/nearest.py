"""Search for the vectors with the highest dot products, in little memory.

`Exact` compares all vectors; `Indexed` is approximate, for millions of vectors. The result for a query does not depend
on the other queries of its batch: a fast float32 search, whose last bits depend on threads and shapes, only proposes
candidates. Their scores and order are computed in float64, one query and one vector at a time.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from raft_exp.core.npy import Rows
from raft_exp.models.encoder import needs

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 8_192  # vectors compared at once; the scores of a block of queries fit in the CPU cache
_GROUP = 32  # columns of a group in `_top`: the best scores are in the groups with the highest maxima
# Bytes of a memory-mapped index that a process reads before it opens the index again. The pages that it has read count
# as its memory until then.
_MAPPED = 2**30

# Two arrays: positions in the pool, best first (equal scores by ascending position), and their scores.
Hits = tuple[np.ndarray, np.ndarray]


class Exact:
    """Exact search: compares each query with every vector of the pool, in chunks.

    `vectors`: one row for each passage of the collection. `pool`: the row numbers of the passages in the pool.
    """

    def __init__(self, vectors: np.ndarray | Rows, pool: np.ndarray) -> None:
        self._vectors, self._pool = vectors, pool

    def best(self, queries: np.ndarray, size: int) -> list[Hits]:
        """Returns the first hits of the exact ranking of each query; `queries` has shape (queries, dimensions).

        A query gets about `size` hits: fewer if many scores are nearly equal, and the whole pool if `size` is not
        below the size of the pool.
        """
        size = min(size, len(self._pool))
        lowest, places = self._propose(queries, size)
        # Error bound of a float32 dot product: the exact score of a passage not proposed may be higher by this much.
        errors = queries.shape[1] * 2.0**-23 * np.linalg.norm(queries, axis=1) * self._longest
        limits = lowest + errors if size < len(self._pool) else np.full(len(queries), -np.inf)
        return [self._exact_hits(*row) for row in zip(queries, places, limits, strict=True)]

    def _propose(self, queries: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Searches in float32. Returns the `size`-th best score of each query, shape (queries,), and the positions of
        its `size` best vectors in the pool, shape (queries, size).
        """
        import torch

        query_rows = torch.from_numpy(queries)
        scores, places = torch.empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.int64)
        for start, chunk in self._chunks():
            lowest = scores[:, -1:] if scores.shape[1] == size else None
            top_scores, top_places = _top(query_rows @ torch.from_numpy(chunk).T, size, lowest)
            scores, order = torch.cat([scores, top_scores], 1).topk(min(size, scores.shape[1] + top_scores.shape[1]))
            places = torch.cat([places, top_places + start], 1).gather(1, order)
        return scores[:, -1].numpy(), places.numpy()

    def _exact_hits(self, query: np.ndarray, places: np.ndarray, limit: float) -> Hits:
        places = np.sort(places)
        exact = products(query, self._vectors, self._pool[places])
        order = np.argsort(-exact, kind="stable")
        order = order[: np.count_nonzero(exact > limit)]
        return places[order], exact[order]

    @cached_property
    def _longest(self) -> float:
        return max(float(np.linalg.norm(chunk, axis=1).max()) for _, chunk in self._chunks())

    def _chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        for start in range(0, len(self._pool), CHUNK):
            yield start, self._vectors[self._pool[start : start + CHUNK]]


class Indexed:
    """Approximate search: reads only the nearest lists of a FAISS index, and may miss passages of the pool.

    `Dense` therefore continues a ranking with `Exact`. `file`: an index that `vector_index.build_index` wrote. Raises
    ModelError where faiss is not installed.
    """

    def __init__(self, vectors: np.ndarray | Rows, pool: np.ndarray, file: Path) -> None:
        needs("faiss")
        import faiss

        self._vectors, self._pool, self._file = vectors, pool, file
        self._open()
        allowed = np.zeros(len(vectors), dtype=bool)
        allowed[pool] = True
        self._bits = np.packbits(allowed, bitorder="little")  # faiss keeps a pointer to this array, not a copy
        # faiss's type stubs describe its C++ functions, not the Python ones
        lists: int = self._index.nlist  # type: ignore[attr-defined]
        selector = faiss.IDSelectorBitmap(self._bits)  # type: ignore[call-arg, arg-type]
        probed = max(16, lists // 16)
        self._settings = faiss.SearchParametersIVF(sel=selector, nprobe=probed)  # type: ignore[call-arg]
        self._read_by_query = min(1.0, probed / lists) * file.stat().st_size  # bytes, on average

    def _open(self) -> None:
        import faiss

        self._index, self._read = faiss.read_index(str(self._file), faiss.IO_FLAG_MMAP), 0.0

    def best(self, queries: np.ndarray, size: int) -> list[Hits]:
        """Returns at most `size` of the nearest passages of the pool for each query; a query may get none."""
        return [self._search(query, size) for query in queries]

    def _search(self, query: np.ndarray, size: int) -> Hits:
        if self._read > _MAPPED:
            self._open()
        self._read += self._read_by_query
        # one query at a time: in a batch, the other queries change which lists are searched
        _, ordinals = self._index.search(query[None], size, params=self._settings)
        ordinals = np.sort(ordinals[0][ordinals[0] >= 0])  # -1 fills up a short result
        exact = products(query, self._vectors, ordinals)
        order = np.argsort(-exact, kind="stable")
        return np.searchsorted(self._pool, ordinals[order]), exact[order]


def products(query: np.ndarray, vectors: np.ndarray | Rows, rows: np.ndarray) -> np.ndarray:
    """Returns the float64 dot products of the query with the given rows of `vectors`, shape (rows,).

    The value for a row does not depend on the other rows.
    """
    wide = query.astype(np.float64)
    parts = (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
    return np.concatenate([np.empty(0), *(np.vecdot(vectors[part].astype(np.float64), wide) for part in parts)])


def _top(scores: "Tensor", size: int, lowest: "Tensor | None" = None) -> "tuple[Tensor, Tensor]":
    """Returns `scores.topk(size)` of a matrix (queries, vectors), faster for many columns.

    Only the groups of columns with the highest maxima are searched. `lowest`: shape (queries, 1). The result may omit
    scores that are not above `lowest`; most groups have no score above it and are skipped.
    """
    import torch

    columns, width = torch.arange(scores.shape[1]), scores.shape[1] // _GROUP * _GROUP
    if width <= 2 * size * _GROUP:
        top_scores, places = scores.topk(min(size, len(columns)))
        return top_scores, places
    maxima = scores[:, :width].unflatten(1, (-1, _GROUP)).amax(2)
    count = size if lowest is None else min(size, int((maxima > lowest).sum(1).max()))
    inside = (maxima.topk(count).indices[:, :, None] * _GROUP + columns[:_GROUP]).flatten(1)
    places = torch.cat([inside, columns[width:].expand(len(scores), -1)], 1)
    top_scores, order = scores.gather(1, places).topk(min(size, places.shape[1]))
    return top_scores, places.gather(1, order)
