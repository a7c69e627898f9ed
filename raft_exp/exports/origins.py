"""Looks up the question, the passages and the grading of a dataset row, for export formats with such fields."""

from functools import cached_property
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question, read_jsonl
from raft_exp.core.text import Form
from raft_exp.prompts.reward_settings import RewardSettings


class RowOrigins:
    """Looks up the questions and passages of dataset rows. The caller must read the rows in the order of the questions.

    `questions`, `passages`: result folders of the stages `questions` and `ingest`. `rewards`: the settings by which
    replies to the rows are graded; None for formats that do not state these settings.
    """

    def __init__(self, questions: Path, passages: Path, rewards: RewardSettings | None = None) -> None:
        self._questions = read_jsonl(questions / "questions.jsonl", Question)
        self._passages = passages
        self._rewards = rewards

    @property
    def rewards(self) -> RewardSettings:
        """The settings by which replies to the rows are graded. Not available if `rewards` was None."""
        assert self._rewards is not None, "ExportStage.rewards has an entry for each training set of a graded format"
        return self._rewards

    def question(self, item: str) -> Question:
        """Returns the question of the row with the id `item`.

        Calls must follow the order of the rows. Raises DataError for an id that is not among the remaining questions.
        """
        for question in self._questions:
            if question.id == item:
                return question
        raise DataError(
            f"row {item!r} of the dataset has no question in questions.jsonl, or the questions have another order; run "
            "`python -m raft_exp.store repair`, then the study again"
        )

    def gold(self, question: Question) -> list[str]:
        """Returns the full texts of the question's gold passages. Raises the errors of `passage`."""
        return [self.passage(name).text for name in question.gold]

    def passage(self, name: str) -> Passage:
        """Returns the passage with the id `name` in full length; a prompt may show it shortened.

        Raises DataError for an id that is not in the collection.
        """
        return self._collection[self._collection.find(name)]

    @property
    def form(self) -> Form:
        """The function that normalises texts of the collection before they are compared."""
        return self._collection.form

    @cached_property
    def _collection(self) -> Passages:
        return Passages(self._passages)
