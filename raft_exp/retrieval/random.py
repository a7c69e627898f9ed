"""Random distractors: a shuffle of the pool for each (seed, question)."""

from collections.abc import Iterator

import numpy as np

from raft_exp.core.records import Question
from raft_exp.core.sampling import seeded_bits
from raft_exp.retrieval.ranking import Ranker


def random_ranker(pool: np.ndarray, seed: int) -> Ranker:
    """Returns a ranker with a random order of `pool`. The order depends only on `pool`, `seed` and the question's id.

    A pool of more than 1024 passages is not shuffled as a whole; its passages are drawn one after another.
    """

    def rank(question: Question) -> Iterator[int]:
        start = seeded_bits(seed, "distractors", question.id)
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
    """Returns 64 pseudo-random bits for each value, by the hash function of splitmix64 (Steele et al., 2014)."""
    values = values * np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed
