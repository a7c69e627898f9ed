"""Counters of contexts, fed while the rows are built: contexts with too few distractors, and recall of the gold."""

from collections import Counter
from collections.abc import Iterator

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.dataset.rows import RowSpec
from raft_exp.retrieval.filters import missing_gold


class ShortContextCounter:
    """Counts the rows with fewer distractors than the settings demand, by split."""

    def __init__(self, collection: Passages, num_distractors: int, constant_size: bool = False) -> None:
        self._collection, self._num_distractors, self._constant_size = collection, num_distractors, constant_size
        self.rows = Counter[str]()  # split -> rows

    def watch(self, specs: Iterator[RowSpec]) -> Iterator[RowSpec]:
        """Yields the rows unchanged and counts their passages."""
        for spec in specs:
            gold, context = {self._collection.find(name) for name in spec.question.gold}, set(spec.context or [])
            wanted = self._num_distractors + (len(gold) if self._constant_size else len(gold & context))
            self.rows[spec.question.split] += len(context) < wanted
            yield spec


class GoldRecall:
    """Counts the gold passages that the contexts hold."""

    def __init__(self, collection: Passages) -> None:
        self._collection, self._counts = collection, Counter[str]()

    def watch(self, specs: Iterator[RowSpec]) -> Iterator[RowSpec]:
        """Yields the rows unchanged and counts their passages."""
        for spec in specs:
            gold, context = {self._collection.find(name) for name in spec.question.gold}, set(spec.context or [])
            shown = len(gold & context) + self._from_other_questions(spec.question, context)
            wanted = len(gold) + spec.question.gold_missing
            if wanted:  # NQ-open has no gold passages
                self._counts.update(questions=1, whole=int(shown == wanted), gold=wanted, shown=shown)
            yield spec

    def _from_other_questions(self, question: Question, context: set[int]) -> int:
        """Gold passages in the context that the question names by title only: other questions were published with
        their text.
        """
        documents = {int(self._collection.documents[ordinal]) for ordinal in context}
        return len(missing_gold(question) & documents)

    def figures(self) -> dict[str, float]:
        """`all_gold`: share of questions whose context holds all their gold; `recall`: share of all gold passages that
        contexts hold. {} where no question has gold passages.
        """
        counts = self._counts
        if not counts:
            return {}
        return {"all_gold": counts["whole"] / counts["questions"], "recall": counts["shown"] / counts["gold"]}
