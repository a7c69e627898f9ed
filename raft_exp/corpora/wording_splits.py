"""Splits of natural_questions and triviaqa.

Draws depend only on (seed, question), so smaller samples are subsets of larger ones. Questions with the same words
share a split, because one would reveal the answer of the other.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from raft_exp.core.collection import hash64
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.text import plain_words
from raft_exp.corpora.context_records import Record
from raft_exp.corpora.shares import draw_share


def question_hash(question: str) -> int:
    """Returns a 64-bit hash that is equal for questions with the same words."""
    return hash64(plain_words(question))


@dataclass(frozen=True)
class Splits:
    """The questions of each split, as samples of record ids or question hashes."""

    test: HashSample  # of question hashes
    validation: HashSample  # of question hashes
    train: HashSample  # of record ids

    @classmethod
    def draw(
        cls,
        learnable: Iterable[Record],
        seed: int,
        corpus: str,
        *,
        test: float,
        validation: float,
        max_items: int | None,
    ) -> "Splits":
        """Draws shares of the learnable questions for test and validation, and up to `max_items` others for training.

        `learnable`: the records that can be trained on. `test`: a share of them. `validation`: a share of the questions
        that are not test questions. `corpus`: a name, so that each corpus has its own draws.
        """
        hashes = {record.id: str(question_hash(record.question)) for record in learnable}
        test_sample = draw_share(dict.fromkeys(hashes.values()), test, seed, f"{corpus} test")
        rest = {name: words for name, words in hashes.items() if words not in test_sample}
        validation_sample = draw_share(dict.fromkeys(rest.values()), validation, seed, f"{corpus} validation")
        train = (name for name, words in rest.items() if words not in validation_sample)
        return cls(test_sample, validation_sample, subsample(train, max_items, seed))

    def of(self, record: Record) -> str:
        """Returns the split of a record; "" for a training record beyond `max_items`.

        A record without gold can only be a test question.
        """
        words = str(question_hash(record.question))
        if not record.gold:
            return "test"
        if words in self.test:
            return "test"
        if words in self.validation:
            return "validation"
        return "train" if record.id in self.train else ""
