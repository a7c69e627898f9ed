"""Where passages come from when they are searched: each method ranks the passages of a pool for a question.

All are deterministic and nested: the first two of a ranking are the first two of the first three.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from raft_exp.contexts import Ranker, number
from raft_exp.passages import Passages
from raft_exp.records import Question
from raft_exp.schema import Positive, config_dataclass


@config_dataclass
class RetrieverConfig:
    """The retriever of `evaluation.context=retrieved`."""

    name: Literal["bm25"]
    k: Positive  # passages in a retrieved context


def random_ranker(pool: np.ndarray, seed: int) -> Ranker:
    """Passages of the pool in an order of chance that belongs to the question."""

    def rank(question: Question) -> Iterator[int]:
        start = number(seed, "distractors", question.id)
        if len(pool) <= 1024:
            keys = _mix(np.uint64(start) + np.arange(len(pool), dtype=np.uint64))
            yield from pool[np.argsort(keys, kind="stable")].tolist()
            return
        seen: set[int] = set()
        for block in range(0, 1 << 62, 64):
            draws = _mix(np.uint64(start) + np.arange(block, block + 64, dtype=np.uint64)) % np.uint64(len(pool))
            for place in draws.tolist():
                if place not in seen:
                    seen.add(place)
                    yield int(pool[place])
            if len(seen) == len(pool):
                return

    return rank


def _mix(values: np.ndarray) -> np.ndarray:
    """splitmix64 (Steele et al., 2014): 64 well-mixed bits for each counter value."""
    with np.errstate(over="ignore"):
        values = values * np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed


def bm25_ranker(passages: Passages, pool: np.ndarray) -> Ranker:
    """Passages of the pool by BM25 score (bm25s) against the question; equal scores in the pool's order."""
    import bm25s

    def tokens(texts: Iterator[str]) -> list[list[str]]:
        found = bm25s.tokenize(list(texts), stopwords="en", return_ids=False, show_progress=False)
        return [list(words) for words in found]

    index = bm25s.BM25()
    texts = (passages[int(ordinal)] for ordinal in pool)
    index.index(tokens(f"{passage.title} {passage.text}" for passage in texts), show_progress=False)

    def rank(question: Question) -> Iterator[int]:
        words = tokens(iter([question.question]))[0]
        scores = index.get_scores(words) if words else np.zeros(len(pool), dtype=np.float32)
        given, size = 0, 32
        while given < len(pool):
            best = _top(scores, size)
            yield from pool[best[given:]].tolist()
            given, size = len(best), size * 8

    return rank


def _top(scores: np.ndarray, size: int) -> np.ndarray:
    """Places of the `size` best scores and of all that tie with the last, best first; ties in rising place."""
    if size >= len(scores):
        places = np.arange(len(scores))
    else:
        places = np.flatnonzero(scores >= np.partition(scores, len(scores) - size)[len(scores) - size])
    return places[np.argsort(-scores[places], kind="stable")]
