"""Quality of a retriever, measured without a model: the ranks of the gold passages.

A question without gold passages (NQ-open) is scored by the rank of the first passage that contains an answer word for
word. Such a passage need not support the answer, so these figures have other names.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from raft_exp.core.audit import RankFigures, RetrievalFigures
from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.core.text import answer_pattern
from raft_exp.dataset.rows import RowSpec
from raft_exp.retrieval import RetrieverConfig
from raft_exp.retrieval.filters import missing_gold
from raft_exp.retrieval.rerank import Rankings

_PLACES = (1, 2, 3, 5, 10, 20, 50, 100)


class RetrievalQuality:
    """Scores rankings of k passages in a stream of rows. All figures are means over questions; ranks start at 1.

    Questions with gold passages:
    - `recall` at a rank: share of the question's gold passages at this rank or before.
    - `mrr`: 1 / rank of the first gold passage; 0 if none is among the k.
    - `ndcg`: sum of 1 / log2(1 + rank) over the gold passages, divided by the highest possible sum.

    Questions without gold passages:
    - `answer_found` at a rank: whether a passage at this rank or before contains an answer.
    - `answer_mrr`: 1 / rank of the first passage with an answer; 0 if none is among the k.
    - Questions with closed-class answers (yes, no, maybe) are left out, because these words occur in most texts.

    With reranked passages (`rankings`), `before_rerank` has the same figures for the first k of the retriever alone.
    """

    def __init__(self, collection: Passages, retriever: RetrieverConfig, rankings: Rankings | None = None) -> None:
        self._retriever, self._rankings = retriever, rankings
        self._shown, self._before = (_Quality(collection, retriever.k) for _ in range(2))

    def watch(self, specs: Iterable[RowSpec]) -> Iterator[RowSpec]:
        """Yields the rows unchanged and scores their contexts."""
        for spec in specs:
            self._shown.add(spec.question, spec.context or [])
            if self._rankings:
                self._before.add(spec.question, self._rankings.first(spec.question)[: self._retriever.k])
            yield spec

    def figures(self) -> RetrievalFigures:
        """Returns the entry `retrieval` of audit.json, without `gold` or `answers` if no question has such figures."""
        figures: RetrievalFigures = {"retriever": self._retriever.name, "k": self._retriever.k}
        shown = self._shown.figures()
        if "gold" in shown:
            figures["gold"] = shown["gold"]
        if "answers" in shown:
            figures["answers"] = shown["answers"]
        if self._rankings and (rerank := self._retriever.rerank):
            figures["reranked"] = rerank.k_first
            figures["before_rerank"] = self._before.figures()
        return figures


class _Quality:
    """Sums the figures of one kind of ranking over the questions."""

    def __init__(self, collection: Passages, k: int) -> None:
        self._collection, self._k = collection, k
        places = [place for place in _PLACES if place < k] + [k]
        self._gold, self._answers = _Sums(places), _Sums(places)

    def add(self, question: Question, ranking: Sequence[int]) -> None:
        """Adds the ranking of a question: the ordinals of its k passages, best first."""
        gold = {self._collection.find(name) for name in question.gold}
        if wanted := len(gold) + question.gold_missing:
            missing = missing_gold(question)  # passages of other questions may come from the same documents
            is_gold = [at in gold or int(self._collection.documents[at]) in missing for at in ranking]
            self._gold.add([place for place, hit in enumerate(is_gold, start=1) if hit], wanted, self._k)
        elif pattern := answer_pattern(question.answers, self._collection.form):
            texts = enumerate((self._collection[ordinal].text for ordinal in ranking), start=1)
            first = next((place for place, text in texts if pattern.search(text)), None)
            self._answers.add([] if first is None else [first], 1, self._k)

    def figures(self) -> RankFigures:
        """Returns the means over the questions with gold passages, and over the questions without gold passages."""
        figures: RankFigures = {}
        if self._gold.questions:
            recall, mrr, ndcg = self._gold.means()
            figures["gold"] = {"questions": self._gold.questions, "recall": recall, "mrr": mrr, "ndcg": ndcg}
        if self._answers.questions:
            found, mrr, _ = self._answers.means()
            figures["answers"] = {"questions": self._answers.questions, "answer_found": found, "answer_mrr": mrr}
        return figures


class _Sums:
    def __init__(self, places: list[int]) -> None:
        self.questions = 0
        self._at = dict.fromkeys(places, 0.0)
        self._mrr = self._ndcg = 0.0

    def add(self, places: list[int], wanted: int, k: int) -> None:
        """Adds a question with `wanted` relevant passages. `places`: the ranks of these passages among the first k."""
        self.questions += 1
        for limit in self._at:
            self._at[limit] += sum(place <= limit for place in places) / wanted
        self._mrr += 1 / places[0] if places else 0
        self._ndcg += _gain(places) / _gain(range(1, min(wanted, k) + 1))

    def means(self) -> tuple[dict[str, float], float, float]:
        """Returns the means over the questions: the share at each rank, MRR and nDCG."""
        n = self.questions
        return {str(place): total / n for place, total in self._at.items()}, self._mrr / n, self._ndcg / n


def _gain(places: Iterable[int]) -> float:
    return sum(1 / math.log2(1 + place) for place in places)
