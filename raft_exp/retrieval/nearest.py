"""The vectors nearest to a query by dot product, without a full similarity matrix: `Exact`, and `Indexed` for millions.

The same query has the same neighbours whatever stands beside it: the fast search in float32, whose last bits depend on
threads and shapes, only proposes; scores and order come from float64 products of one query with one vector.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

CHUNK = 8_192  # vectors compared at once; with a block of queries their scores stay in the cache
_GROUP = 32  # of these scores only the groups with the highest maxima can hold the best ones

Hits = tuple[np.ndarray, np.ndarray]  # places in the pool (best first, equal scores in rising place) and their scores


class Exact:
    """Compares with every vector of the pool, a chunk at a time."""

    def __init__(self, vectors: np.ndarray, pool: np.ndarray) -> None:
        self._vectors, self._pool = vectors, pool

    def best(self, queries: np.ndarray, size: int) -> list[Hits]:
        """For each query what certainly comes before all the rest: about `size` passages, fewer where many are alike,
        and the whole pool where `size` is not smaller.
        """
        size = min(size, len(self._pool))
        lowest, places = self._propose(queries, size)
        # The largest error of a float32 sum of products: what was not proposed may really score so much more.
        errors = queries.shape[1] * 2.0**-23 * np.linalg.norm(queries, axis=1) * self._longest
        limits = lowest + errors if size < len(self._pool) else np.full(len(queries), -np.inf)
        return [self._certain(*found) for found in zip(queries, places, limits, strict=True)]

    def _propose(self, queries: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """By float32: for each query its `size`-th best score, and shape (queries, size) the places of the best."""
        import torch

        asked = torch.from_numpy(queries)
        scores, places = torch.empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.int64)
        for start, chunk in self._chunks():
            lowest = scores[:, -1:] if scores.shape[1] == size else None
            found, where = _top(asked @ torch.from_numpy(chunk).T, size, lowest)
            scores, order = torch.cat([scores, found], 1).topk(min(size, scores.shape[1] + found.shape[1]))
            places = torch.cat([places, where + start], 1).gather(1, order)
        return scores[:, -1].numpy(), places.numpy()

    def _certain(self, query: np.ndarray, places: np.ndarray, limit: float) -> Hits:
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
    """Looks into the lists of an index that `build_index` made; what it misses is found by going on with `Exact`."""

    def __init__(self, vectors: np.ndarray, pool: np.ndarray, file: Path) -> None:
        import faiss

        self._vectors, self._pool = vectors, pool
        self._index = cast(Any, faiss.read_index(str(file), faiss.IO_FLAG_MMAP))
        allowed = np.zeros(len(vectors), dtype=bool)
        allowed[pool] = True
        self._bits = np.packbits(allowed, bitorder="little")  # faiss only points to them
        settings, chosen = cast(Any, faiss.SearchParametersIVF), cast(Any, faiss.IDSelectorBitmap)
        self._settings = settings(sel=chosen(self._bits), nprobe=max(16, self._index.nlist // 16))

    def best(self, queries: np.ndarray, size: int) -> list[Hits]:
        """For each query about `size` of the nearest passages of the pool."""
        return [self._search(query, size) for query in queries]

    def _search(self, query: np.ndarray, size: int) -> Hits:
        # one query at a time: in a batch the choice of lists depends on the others
        _, found = self._index.search(query[None], size, params=self._settings)
        ordinals = np.sort(found[0][found[0] >= 0])
        exact = products(query, self._vectors, ordinals)
        order = np.argsort(-exact, kind="stable")
        return np.searchsorted(self._pool, ordinals[order]), exact[order]


def build_index(vectors: np.ndarray, file: Path) -> None:
    """Writes a FAISS index: vectors in 8 bits a number, in lists of neighbours."""
    import faiss

    count, width = vectors.shape
    lists = max(1, min(int(4 * count**0.5), count // 40))
    index: Any = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.train(np.ascontiguousarray(vectors[:: max(1, count // (64 * lists))]))
    for start in range(0, count, CHUNK):
        index.add(np.ascontiguousarray(vectors[start : start + CHUNK]))
    faiss.write_index(index, str(file))


def products(query: np.ndarray, vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Shape (rows,): products of the query with these vectors in float64, each the same whatever the others are."""
    wide = query.astype(np.float64)
    parts = (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
    return np.concatenate([np.empty(0), *(np.vecdot(vectors[part].astype(np.float64), wide) for part in parts)])


def _top(scores: Any, size: int, lowest: Any = None) -> tuple[Any, Any]:
    """`scores.topk(size)` of a wide matrix, faster: the best stand in the groups with the highest maxima.

    Where `lowest` (queries, 1) is given, only scores above it need to be there: most groups have none.
    """
    import torch

    columns, width = torch.arange(scores.shape[1]), scores.shape[1] // _GROUP * _GROUP
    if width <= 2 * size * _GROUP:
        found, places = scores.topk(min(size, len(columns)))
        return found, places
    maxima = scores[:, :width].unflatten(1, (-1, _GROUP)).amax(2)
    count = size if lowest is None else min(size, int((maxima > lowest).sum(1).max()))
    inside = (maxima.topk(count).indices[:, :, None] * _GROUP + columns[:_GROUP]).flatten(1)
    places = torch.cat([inside, columns[width:].expand(len(scores), -1)], 1)
    found, order = scores.gather(1, places).topk(min(size, places.shape[1]))
    return found, places.gather(1, order)
