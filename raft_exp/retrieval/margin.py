"""How similar to the question a distractor may be: very similar ones may hold the answer, although nobody said so.

The rules are those of sentence-transformers' `mine_hard_negatives` (NV-Retriever, arXiv 2407.15831), against the best
gold passage.
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
    """A distractor's score is at most `max_score`, and at most the best gold passage's less the share `relative`."""

    max_score: float | None = None
    relative: float | None = None

    def limit(self, gold: list[float]) -> float:
        """The highest score that is let through."""
        limit = math.inf if self.max_score is None else self.max_score
        if self.relative is not None and gold:
            # not (1 - relative) * best: that would raise the limit where the best score is below zero
            limit = min(limit, max(gold) - abs(max(gold)) * self.relative)
        return limit


NO_MARGIN = Margin()


def within(margin: Margin, source: Similarity, passages: Passages, passed_over: Counter[str]) -> Ranker:
    """The source's ranking without what is too similar, which is counted. Gold passages stay: the guards name them."""

    def rank(question: Question) -> Iterator[int]:
        gold = [passages.find(name) for name in question.gold]
        limit = margin.limit(source.similarity(question, gold) if margin.relative is not None else [])
        for ordinal, score in source.ranked(question):
            if score <= limit or ordinal in gold:
                yield ordinal
            else:
                passed_over["too_similar"] += 1

    return rank if margin != NO_MARGIN else without_scores(source)
