"""Upper limits of a distractor's similarity to the question: very similar passages may hold the answer unmarked.

The limits are those of sentence-transformers' `mine_hard_negatives` (NV-Retriever, arXiv 2407.15831), relative to the
best gold passage.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.retrieval.ranking import Ranker, Similarity, without_scores


@dataclass(frozen=True)
class Margin:
    """Limits of a score: `max_score`, and the score of the best gold passage reduced by the share `relative`."""

    max_score: float | None = None
    relative: float | None = None

    def limit(self, gold: list[float]) -> float:
        """The highest score allowed, given the scores of the gold passages."""
        limit = math.inf if self.max_score is None else self.max_score
        if self.relative is not None and gold:
            # not (1 - relative) * best: for a negative best score that would be a higher limit
            limit = min(limit, max(gold) - abs(max(gold)) * self.relative)
        return limit


NO_MARGIN = Margin()


def within(margin: Margin, source: Similarity, passages: Passages, rejected_candidates: Counter[str]) -> Ranker:
    """The source's ranking without passages above the limit, which `rejected_candidates` counts. Gold passages stay in
    the ranking: the distractor filter rejects them, and counts them by its own rule.
    """

    def rank(question: Question) -> Iterator[int]:
        gold = [passages.find(name) for name in question.gold]
        limit = margin.limit(source.similarity(question, gold) if margin.relative is not None else [])
        for ordinal, score in source.ranked(question):
            if score <= limit or ordinal in gold:
                yield ordinal
            else:
                rejected_candidates["too_similar"] += 1

    return rank if margin != NO_MARGIN else without_scores(source)
