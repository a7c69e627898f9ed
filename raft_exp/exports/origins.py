"""The questions behind the rows of a dataset, for export formats that need more than the row has."""

from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, read_jsonl


class RowOrigins:
    """Reads the questions of a dataset in parallel with its rows, which are in the same order."""

    def __init__(self, questions: Path, passages: Path) -> None:
        self._questions = read_jsonl(questions / "questions.jsonl", Question)
        self._passages = passages
        self._collection: Passages | None = None

    def question(self, item: str) -> Question:
        """The question of the row with this id. Rows must come in order; raises DataError otherwise."""
        for question in self._questions:
            if question.id == item:
                return question
        raise DataError(f"row {item!r} has no question in the order of the questions; build the dataset anew")

    def gold(self, question: Question) -> list[str]:
        """The texts of the question's gold passages."""
        if self._collection is None:
            self._collection = Passages(self._passages)
        return [self._collection[self._collection.find(passage_id)].text for passage_id in question.gold]
