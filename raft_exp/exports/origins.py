"""Finds what a dataset row does not have itself, for export formats with such fields: question, passages, grading."""

from functools import cached_property
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question, read_jsonl
from raft_exp.core.text import Form
from raft_exp.prompts.reward_settings import RewardSettings


class RowOrigins:
    """Reads the questions of a dataset one after another, while the caller reads the rows in the same order.

    `questions` and `passages` are the folders of the stages `questions` and `ingest`. `rewards`: how replies to the
    rows are graded; None for formats that do not state it.
    """

    def __init__(self, questions: Path, passages: Path, rewards: RewardSettings | None = None) -> None:
        self._questions = read_jsonl(questions / "questions.jsonl", Question)
        self._passages = passages
        self._rewards = rewards

    @property
    def rewards(self) -> RewardSettings:
        """How replies to the rows are graded."""
        assert self._rewards is not None, "the settings of the stage have it for each format that states it"
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
        """Returns the texts of the question's gold passages."""
        return [self.passage(name).text for name in question.gold]

    def passage(self, name: str) -> Passage:
        """Returns the passage with the id `name`, as it was before a prompt shortened it."""
        return self._collection[self._collection.find(name)]

    @property
    def form(self) -> Form:
        """The function by which texts of the collection are compared."""
        return self._collection.form

    @cached_property
    def _collection(self) -> Passages:
        return Passages(self._passages)
