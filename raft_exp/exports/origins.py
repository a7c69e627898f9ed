"""Finds the question of each dataset row, for export formats with fields that a row does not have."""

from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, read_jsonl


class RowOrigins:
    """Reads the questions of a dataset one after another, while the caller reads the rows in the same order.

    `questions` and `passages` are the folders of the stages `questions` and `ingest`.
    """

    def __init__(self, questions: Path, passages: Path) -> None:
        self._questions = read_jsonl(questions / "questions.jsonl", Question)
        self._passages = passages
        self._collection: Passages | None = None

    def question(self, item: str) -> Question:
        """Returns the question of the row with the id `item`.

        Calls must follow the order of the rows. Raises DataError for an id that is not among the remaining questions.
        """
        for question in self._questions:
            if question.id == item:
                return question
        raise DataError(
            f"row {item!r} of the dataset has no question in questions.jsonl, or stands in another order there; run "
            "`python -m raft_exp.store repair`, then the study again"
        )

    def gold(self, question: Question) -> list[str]:
        """Returns the texts of the question's gold passages."""
        if self._collection is None:
            self._collection = Passages(self._passages)
        return [self._collection[self._collection.find(passage_id)].text for passage_id in question.gold]
