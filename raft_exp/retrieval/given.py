"""Distractors published with the question: those of HotpotQA's records, those retrieved for NQ."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.retrieval.ranking import Ranker


def given_ranker(passages: Passages, pool: np.ndarray, rejected_candidates: Counter[str]) -> Ranker:
    """The question's `given` passages in their order. Those outside the pool, whose document another split owns, are
    left out and counted in `rejected_candidates`. `pool` is ascending.
    """

    def rank(question: Question) -> Iterator[int]:
        for name in dict.fromkeys(question.given):
            ordinal = passages.find(name)
            place = int(np.searchsorted(pool, ordinal))
            if place < len(pool) and pool[place] == ordinal:
                yield ordinal
            else:
                rejected_candidates["of_another_split"] += 1

    return rank
