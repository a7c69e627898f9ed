"""Who trains, validates and tests. Choices hang on the seed and on each question alone, so smaller ones lie in larger.

Questions of the same words go one way, as they would tell each other's answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from raft_exp.core.collection import hash64
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.text import normalise
from raft_exp.corpora.natural_questions.records import Record
from raft_exp.corpora.shares import drawn


def asks(question: str) -> int:
    """Equal for questions of the same words."""
    return hash64(normalise(question))


@dataclass(frozen=True)
class Splits:
    """What was drawn."""

    test: HashSample
    validation: HashSample
    train: HashSample

    @classmethod
    def draw(
        cls, learnable: Iterable[Record], seed: int, *, test: float, validation: float, max_items: int | None
    ) -> "Splits":
        """Shares of the questions that could be trained on; of the rest at most `max_items` train."""
        known = {record.id: asks(record.question) for record in learnable}
        tested = drawn(_once(known.values()), test, seed, "natural_questions test")
        rest = {name: asked for name, asked in known.items() if str(asked) not in tested}
        held_out = drawn(_once(rest.values()), validation, seed, "natural_questions validation")
        free = (name for name, asked in rest.items() if str(asked) not in held_out)
        return cls(tested, held_out, subsample(free, max_items, seed))

    def of(self, record: Record) -> str:
        """The record's split; "" where it is one too many. Without gold it can only be tested."""
        asked = str(asks(record.question))
        if not record.gold:
            return "test"
        if asked in self.test:
            return "test"
        if asked in self.validation:
            return "validation"
        return "train" if record.id in self.train else ""


def _once(values: Iterable[int]) -> Iterable[str]:
    return map(str, dict.fromkeys(values))
