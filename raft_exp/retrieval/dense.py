"""Passages by their meaning: vectors of a sentence encoder, made once by the stage `embed`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from raft_exp.core.collection import hash64, mapped
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question
from raft_exp.retrieval.nearest import Exact, Hits, Indexed, products

VECTORS, IDS, INDEX = "vectors.npy", "ids.npy", "index.faiss"  # what the embed stages write
_FIRST = 32  # hits of the first search; few questions need more
_BLOCK = 512  # questions searched together


class Dense:
    """Ranks a pool by the product of passage and question vectors; equal scores stand in the pool's order.

    `asked` gives the questions that will come, in their order, so that many can be searched at once; a question that
    is not among them is searched alone.
    """

    def __init__(self, embedded: Mapping[str, Path], pool: np.ndarray, asked: Callable[[], Iterable[Question]]) -> None:
        self._vectors, self._pool, self._asked = mapped(embedded["passages"] / VECTORS), pool, asked
        self._questions = QuestionVectors(embedded["questions"])
        self._exact = Exact(self._vectors, pool)
        index = embedded["passages"] / INDEX
        self._first = Indexed(self._vectors, pool, index) if index.exists() else self._exact
        self._coming: Iterator[Question] | None = None
        self._ready: dict[str, tuple[np.ndarray, Hits]] = {}  # the questions of a block: vector, first hits

    def ranked(self, question: Question) -> Iterator[tuple[int, float]]:
        """Ordinals of the whole pool with their scores, best first (with an index: nearly so)."""
        given: set[int] = set()
        query, hits = self._searched(question)
        size = _FIRST
        while True:
            for place, score in zip(*(column.tolist() for column in hits), strict=True):
                if place not in given:
                    given.add(place)
                    yield int(self._pool[place]), score
            if len(given) == len(self._pool):
                return
            size *= 8
            (hits,) = self._exact.best(query[None], size)

    def similarity(self, question: Question, ordinals: Iterable[int]) -> list[float]:
        """Scores of any passages."""
        query, _ = self._searched(question)
        found: list[float] = products(query, self._vectors, np.array([*ordinals], dtype=np.int64)).tolist()
        return found

    def _searched(self, question: Question) -> tuple[np.ndarray, Hits]:
        self._coming = iter(self._asked()) if self._coming is None else self._coming
        while question.id not in self._ready:
            block = list(islice(self._coming, _BLOCK)) or [question]
            queries = np.stack([self._questions[each.id] for each in block])
            hits = self._first.best(queries, _FIRST)
            self._ready = {each.id: (query, found) for each, query, found in zip(block, queries, hits, strict=True)}
        return self._ready[question.id]


class QuestionVectors:
    """The vector of a question by its id."""

    def __init__(self, folder: Path) -> None:
        self._vectors = mapped(folder / VECTORS)
        self._ids, self._rows = mapped(folder / IDS)

    def __getitem__(self, question_id: str) -> np.ndarray:
        wanted = hash64(question_id)
        place = int(self._ids.searchsorted(np.uint64(wanted)))
        if place == len(self._ids) or int(self._ids[place]) != wanted:
            raise DataError(f"question {question_id!r} has no vector; it is not among the questions of this study")
        return np.array(self._vectors[int(self._rows[place])])
