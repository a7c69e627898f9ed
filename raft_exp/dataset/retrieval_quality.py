"""How good a retriever is, before a model reads what it found: where in its ranking the gold passages stand.

A question that names no gold passage (NQ-open) is judged by its answers: does a passage found hold one of them, word
for word? That is another thing, as a passage can name the answer and not support it, and has other names.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from raft_exp.core.collection import Passages
from raft_exp.core.text import answer_pattern, normalise
from raft_exp.dataset.rows import RowSpec
from raft_exp.retrieval.filters import missing_gold

_PLACES = (1, 2, 3, 5, 10, 20, 50, 100)


class RetrievalQuality:
    """Measures rankings of k passages, while the jobs that hold them pass.

    Figures are means over the questions. Of gold passages: `recall` at each place is the share of a question's gold
    passages that stand there or before; `mrr` is 1 / the place of the first; `ndcg` counts each with 1 / log2(1 + its
    place), against the best that is possible. What is not among the k counts nothing. Of answers: `answer_found` at
    each place is the share of questions with a passage there or before that holds an answer, `answer_mrr` is 1 / the
    place of the first such passage. Closed-class answers (yes, no, maybe) are in any text and take no part.
    """

    def __init__(self, collection: Passages, retriever: str, k: int) -> None:
        self._collection, self._retriever, self._k = collection, retriever, k
        places = [place for place in _PLACES if place < k] + [k]
        self._gold, self._answers = _Sums(places), _Sums(places)

    def watch(self, jobs: Iterable[RowSpec]) -> Iterator[RowSpec]:
        """Passes the jobs on."""
        for job in jobs:
            question, found = job.question, job.context or []
            gold = {self._collection.find(name) for name in question.gold}
            if wanted := len(gold) + question.gold_missing:
                missing = missing_gold(question)  # what the question does not bring, another one may have brought
                is_gold = [at in gold or int(self._collection.documents[at]) in missing for at in found]
                places = [place for place, there in enumerate(is_gold, start=1) if there]
                self._gold.add(places, wanted, self._k)
            elif pattern := answer_pattern(question.answers):
                texts = enumerate((self._collection[ordinal].text for ordinal in found), start=1)
                first = next((place for place, text in texts if pattern.search(normalise(text))), None)
                self._answers.add([] if first is None else [first], 1, self._k)
            yield job

    def figures(self) -> dict[str, Any]:
        """What audit.json and results.json say; `gold` and `answers` only where there are such questions."""
        found: dict[str, Any] = {"retriever": self._retriever, "k": self._k}
        if count := self._gold.questions:
            found["gold"] = {"questions": count, **self._gold.means("recall", "mrr", "ndcg")}
        if count := self._answers.questions:
            found["answers"] = {"questions": count, **self._answers.means("answer_found", "answer_mrr")}
        return found


class _Sums:
    def __init__(self, places: list[int]) -> None:
        self.questions = 0
        self._at = dict.fromkeys(places, 0.0)
        self._mrr = self._ndcg = 0.0

    def add(self, places: list[int], wanted: int, k: int) -> None:
        """A question that wants so many passages, of which some stand at these places."""
        self.questions += 1
        for limit in self._at:
            self._at[limit] += sum(place <= limit for place in places) / wanted
        self._mrr += 1 / places[0] if places else 0
        self._ndcg += _gain(places) / _gain(range(1, min(wanted, k) + 1))

    def means(self, at: str, mrr: str, ndcg: str | None = None) -> dict[str, Any]:
        """The means under these names."""
        n = self.questions
        rank = {mrr: self._mrr / n} | ({ndcg: self._ndcg / n} if ndcg else {})
        return {at: {str(place): total / n for place, total in self._at.items()}, **rank}


def _gain(places: Iterable[int]) -> float:
    return sum(1 / math.log2(1 + place) for place in places)
