"""Distractors that were published with the question: HotpotQA's own, NQ's retrieved ones."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.retrieval.ranking import Ranker


def given_ranker(passages: Passages, pool: np.ndarray, passed_over: Counter[str]) -> Ranker:
    """The question's `given` passages in their order; those that another split owns are passed over and counted."""

    def rank(question: Question) -> Iterator[int]:
        for name in dict.fromkeys(question.given):
            ordinal = passages.find(name)
            place = int(np.searchsorted(pool, ordinal))  # the pool's ordinals rise
            if place < len(pool) and pool[place] == ordinal:
                yield ordinal
            else:
                passed_over["of_another_split"] += 1

    return rank
