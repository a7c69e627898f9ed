"""Upper limits for the similarity of a distractor to the question.

A passage that is very similar to the question may hold the answer without being marked as gold. The limits follow
`mine_hard_negatives` of sentence-transformers (NV-Retriever, arXiv 2407.15831).
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
    """Limits of a distractor's similarity score; None means no limit. If both are set, the lower limit applies.

    `max_score`: highest allowed score. `relative`: share (0 to 1); the limit is the score of the best gold passage,
    reduced by this share.
    """

    max_score: float | None = None
    relative: float | None = None

    def limit(self, gold: list[float]) -> float:
        """Returns the highest score that a distractor may have; infinity without a limit.

        `gold`: the scores of the gold passages. If it is empty, `relative` sets no limit.
        """
        limit = math.inf if self.max_score is None else self.max_score
        if self.relative is not None and gold:
            # not (1 - relative) * best: for a negative best score that would be a higher limit
            limit = min(limit, max(gold) - abs(max(gold)) * self.relative)
        return limit


NO_MARGIN = Margin()


def within(margin: Margin, source: Similarity, passages: Passages, rejected_candidates: Counter[str]) -> Ranker:
    """Returns a ranker that leaves out passages with a score above the limit of `margin`.

    The ranker counts these passages in `rejected_candidates` under "too_similar". It leaves out no gold passage:
    `DistractorFilter` removes and counts gold passages later.
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
