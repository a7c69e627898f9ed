"""The tasks of a teacher model: to write targets, to write questions, and to check questions."""

from typing import Annotated, Literal

from pydantic import Field

from raft_exp.core.schema import Count, KeyedWhenSet, Positive, Share, config_dataclass
from raft_exp.tasks.task import Task


@config_dataclass
class Gate:
    """The conditions that a reply must meet to become a target (`teachers/gate.py`)."""

    retries: Count  # further attempts after an unusable reply
    min_quotes: Count  # least number of verbatim quotes from gold passages, between the quote markers
    agrees: bool  # whether the answer must be that of the question, if the question has one
    min_words: Count  # least number of words of the reasoning
    max_words: Positive  # largest number of words of the reasoning
    max_answer_words: Positive  # largest number of words of the answer, unless a verified answer has more


@config_dataclass
class AnswerTask(Task):
    """The task to write the target of a question from the gold passages and the answer (if the question has one)."""

    # Form of a reply. paper: ##Reason: ... ##Answer: ...; json: an object with "reason" and "answer"; text: sentences
    # without markers, which are the target's reasoning, or its answer if the question has no answer.
    reply: Literal["paper", "json", "text"]
    gate: Gate

    @property
    def retries(self) -> int:
        """The number of further attempts after an unusable reply."""
        return self.gate.retries


@config_dataclass
class PairConfig:
    """The settings that choose pairs of passages, for questions that need both (`teachers/pairs.py`)."""

    most_holders: Annotated[int, Field(ge=2)]  # a name in more passages does not link passages
    linked: bool  # passages of two documents may be a pair; false: only passages of one document
    min_quote_words: Positive  # least number of words of the quote from each passage


@config_dataclass
class QuestionTask(Task):
    """The task to write questions with answers for a passage, or with `pairs` for two passages."""

    n: Positive  # number of questions to write for a passage, or for a pair
    asked_again: Count  # further attempts after a reply without a usable question
    max_question_words: Positive
    max_answer_words: Positive
    min_passage_words: Count  # shorter passages are skipped
    # Largest number of passages, or of pairs, of the test split, and of the validation split; null: no limit
    held_out_passages: Positive | None
    pairs: KeyedWhenSet[PairConfig | None] = None  # null: questions about one passage

    @property
    def retries(self) -> int:
        """The number of further attempts after an unusable reply."""
        return self.asked_again


@config_dataclass
class CheckTask(Task):
    """The task to check a question: the teacher answers it from the passage, and must give the written answer."""

    agreement: Share  # least F1 of the words of both answers, if neither answer contains the other
