"""Reranking: a cross-encoder orders the first passages of a ranking again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, read_jsonl
from raft_exp.models.cross_encoder import Score
from raft_exp.retrieval.ranking import Ranker
from raft_exp.retrieval.text import searched_text

RANKINGS = "rankings.jsonl"  # the file that stage `rerank` writes: a `Ranking` for each question


@dataclass(frozen=True)
class Ranking:
    """The first passages for a question, as ordinals."""

    id: str  # of the question
    first: list[int]  # in the order of the retriever
    ranked: list[int]  # the same passages in the order of the cross-encoder


def reranked(score: Score, passages: Passages, question: str, first: Sequence[int]) -> list[int]:
    """Returns the passages `first` in the order of their scores, best first. Equal scores keep the order of `first`."""
    if not first:
        return []
    scores = score(question, [searched_text(passages[ordinal]) for ordinal in first])
    return [first[place] for place in np.argsort(-scores, kind="stable").tolist()]


class Rankings:
    """Looks up the rankings in the folder of stage `rerank` by the id of a question.

    The methods raise DataError for a question that has no ranking in the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._rows = {
            row.id: np.array([row.first, row.ranked], dtype=np.int64) for row in read_jsonl(folder / RANKINGS, Ranking)
        }

    def first(self, question: Question) -> list[int]:
        """Returns the retriever's first passages, in the retriever's order."""
        return self._of(question, 0)

    def ranked(self, question: Question) -> Iterator[int]:
        """Yields the retriever's first passages in the order of the cross-encoder (a `Ranker`)."""
        return iter(self._of(question, 1))

    def with_rest(self, rank: Ranker) -> Ranker:
        """Returns a ranker of the whole pool: the reranked passages, then the others in the order of `rank`.

        `rank`: the retriever's ranking of the same pool.
        """

        def whole(question: Question) -> Iterator[int]:
            first = self.first(question)
            yield from self.ranked(question)
            yield from islice(rank(question), len(first), None)

        return whole

    def _of(self, question: Question, order: int) -> list[int]:
        if question.id not in self._rows:
            raise DataError(
                f"question {question.id!r} has no reranked passages, as it is not a question of this data set; remove "
                "the result of the stage rerank from the store, and run the study again"
            )
        ordinals: list[int] = self._rows[question.id][order].tolist()
        return ordinals
