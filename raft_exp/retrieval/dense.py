"""Dense search: compares vectors of a sentence encoder, which stage `embed` writes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from raft_exp.core.collection import hash64, mapped
from raft_exp.core.errors import DataError
from raft_exp.core.npy import Rows
from raft_exp.core.records import Question
from raft_exp.retrieval.nearest import Exact, Hits, Indexed, products

VECTORS, IDS, INDEX = "vectors.npy", "ids.npy", "index.faiss"  # files that stage `embed` writes
_FIRST = 32  # hits of the first search; most questions need no more
_BLOCK = 512  # questions of one search


class Dense:
    """Ranks a pool by the dot product of passage and question vectors. Equal scores keep the order of the pool.

    `embedded`: the folders of stage `embed` under "passages" and "questions". `pool`: passage ordinals. `coming`
    returns the questions in the order in which they will be ranked; they are searched in blocks. Any other question is
    searched by itself, after all blocks.
    """

    def __init__(
        self, embedded: Mapping[str, Path], pool: np.ndarray, coming: Callable[[], Iterable[Question]]
    ) -> None:
        self._vectors, self._pool, self._questions_coming = Rows(embedded["passages"] / VECTORS), pool, coming
        self._question_vectors = QuestionVectors(embedded["questions"])
        self._exact = Exact(self._vectors, pool)
        index = embedded["passages"] / INDEX
        self._first = Indexed(self._vectors, pool, index) if index.exists() else self._exact
        self._coming: Iterator[Question] | None = None
        self._ready: dict[str, tuple[np.ndarray, Hits]] = {}  # question id -> vector and first hits, of one block

    def ranked(self, question: Question) -> Iterator[tuple[int, float]]:
        """Yields all ordinals of the pool with their scores, best first (approximately, where a FAISS index exists)."""
        seen: set[int] = set()
        query, hits = self._searched(question)
        size = _FIRST
        while True:
            for place, score in zip(*(column.tolist() for column in hits), strict=True):
                if place not in seen:
                    seen.add(place)
                    yield int(self._pool[place]), score
            if len(seen) == len(self._pool):
                return
            size *= 8
            (hits,) = self._exact.best(query[None], size)

    def similarity(self, question: Question, ordinals: Iterable[int]) -> list[float]:
        """Returns the scores of passages, in or outside the pool. `ordinals`: positions in the collection."""
        query, _ = self._searched(question)
        scores: list[float] = products(query, self._vectors, np.array([*ordinals], dtype=np.int64)).tolist()
        return scores

    def _searched(self, question: Question) -> tuple[np.ndarray, Hits]:
        self._coming = iter(self._questions_coming()) if self._coming is None else self._coming
        while question.id not in self._ready:
            block = list(islice(self._coming, _BLOCK)) or [question]
            queries = np.stack([self._question_vectors[question.id] for question in block])
            hits = self._first.best(queries, _FIRST)
            self._ready = dict(zip((question.id for question in block), zip(queries, hits, strict=True), strict=True))
        return self._ready[question.id]


class QuestionVectors:
    """Looks up the vector of a question by its id. Raises DataError for an id that stage `embed` did not read."""

    def __init__(self, folder: Path) -> None:
        self._vectors = Rows(folder / VECTORS)
        self._ids, self._rows = mapped(folder / IDS)

    def __getitem__(self, question_id: str) -> np.ndarray:
        wanted = hash64(question_id)
        place = int(self._ids.searchsorted(np.uint64(wanted)))
        if place == len(self._ids) or int(self._ids[place]) != wanted:
            raise DataError(
                f"question {question_id!r} has no vector, as it is not a question of this study; use a question of "
                "questions.jsonl"
            )
        (vector,) = self._vectors[self._rows[place : place + 1].astype(np.int64)]
        found: np.ndarray = vector
        return found
