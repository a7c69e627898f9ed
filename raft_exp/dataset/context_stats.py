"""What is counted of the contexts while they pass by on their way to the rows: how full, and how much of the gold."""

from collections import Counter
from collections.abc import Iterator

from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.dataset.rows import RowSpec
from raft_exp.retrieval.filters import missing_gold


class ShortContextCounter:
    """Counts the rows with fewer distractors than asked for, while the jobs pass."""

    def __init__(self, collection: Passages, num_distractors: int, constant_size: bool = False) -> None:
        self._collection, self._wanted, self._constant_size = collection, num_distractors, constant_size
        self.rows = Counter[str]()  # by split

    def watch(self, jobs: Iterator[RowSpec]) -> Iterator[RowSpec]:
        """Passes the jobs on."""
        for job in jobs:
            gold, context = {self._collection.find(name) for name in job.question.gold}, set(job.context or [])
            wanted = self._wanted + (len(gold) if self._constant_size else len(gold & context))
            self.rows[job.question.split] += len(context) < wanted
            yield job


class GoldRecall:
    """Counts how much of the gold the contexts hold, while the jobs pass."""

    def __init__(self, collection: Passages) -> None:
        self._collection, self._counts = collection, Counter[str]()

    def watch(self, jobs: Iterator[RowSpec]) -> Iterator[RowSpec]:
        """Passes the jobs on."""
        for job in jobs:
            gold, context = {self._collection.find(name) for name in job.question.gold}, set(job.context or [])
            found = len(gold & context) + self._brought(job.question, context)
            wanted = len(gold) + job.question.gold_missing
            if wanted:  # NQ-open names no gold
                self._counts.update(questions=1, whole=int(found == wanted), gold=wanted, found=found)
            yield job

    def _brought(self, question: Question, context: set[int]) -> int:
        """How many of the passages that a question names by title and does not bring came from other questions."""
        shown = {int(self._collection.documents[ordinal]) for ordinal in context}
        return len(missing_gold(question) & shown)

    def figures(self) -> dict[str, float]:
        """Share of questions with all their gold, and share of all gold passages; {} where no question names any."""
        counts = self._counts
        if not counts:
            return {}
        return {"all_gold": counts["whole"] / counts["questions"], "recall": counts["found"] / counts["gold"]}
