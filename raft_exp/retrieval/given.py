"""The source `given`: distractors that were published with the question, as in HotpotQA and Natural Questions."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.retrieval.ranking import Ranker


def given_ranker(passages: Passages, pool: np.ndarray, rejected_candidates: Counter[str]) -> Ranker:
    """Ranks the passages of the question's `given` field in their published order.

    Passages outside `pool` (ascending ordinals) belong to documents of another split. They are left out, and counted in
    `rejected_candidates` under "of_another_split". The ranker raises DataError for a passage that is not in the
    collection.
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
