"""The number of distractors D: one number for all rows, or a range from which each question draws its own number."""

from typing import Annotated

from pydantic import BeforeValidator, Discriminator, Tag, model_validator

from raft_exp.core.sampling import seeded_bits
from raft_exp.core.schema import Count, config_dataclass


@config_dataclass
class DistractorRange:
    """A range of D, both ends included. Each number is equally likely for each question."""

    min: Count  # of a range: the smallest number
    max: Count  # of a range: the largest number

    @model_validator(mode="after")
    def _has_numbers(self) -> "DistractorRange":
        if self.min > self.max:
            raise ValueError(
                f"dataset.num_distractors: got {shown(self)}, whose min is above its max; swap the two numbers"
            )
        return self


def _kind(value: object) -> str:
    return "range" if isinstance(value, dict | DistractorRange) else "number"


def _with_both_ends(value: object) -> object:
    if isinstance(value, dict) and not {"min", "max"} <= set(value):
        raise ValueError(
            f"dataset.num_distractors: got {value}; a range has min and max, as in "
            "dataset.num_distractors={min:0,max:8}"
        )
    return value


# D of a training set, as in `dataset.num_distractors=4` or `dataset.num_distractors={min:0,max:8}`.
DistractorCount = Annotated[
    Annotated[Count, Tag("number")] | Annotated[DistractorRange, Tag("range")],
    Discriminator(_kind),
    BeforeValidator(_with_both_ends),
]


def of_question(count: DistractorCount, seed: int, question_id: str) -> int:
    """Returns D of a question: `count` itself, or a number of the range that depends on (seed, question id).

    Each number of the range has a hash that depends on seed and question; D is the number with the smallest hash. So a
    wider range changes D only for a question where a new number has the smallest hash.
    """
    if isinstance(count, int):
        return count
    numbers = range(count.min, count.max + 1)
    return min(numbers, key=lambda number: seeded_bits(seed, f"{number} distractors", question_id))


def least(count: DistractorCount) -> int:
    """Returns the smallest D that a question can have."""
    return count if isinstance(count, int) else count.min


def most(count: DistractorCount) -> int:
    """Returns the largest D that a question can have."""
    return count if isinstance(count, int) else count.max


def at_most(count: DistractorCount, limit: int) -> DistractorCount:
    """Returns `count` without the numbers above `limit`; `limit` alone if all numbers of `count` are above `limit`."""
    if isinstance(count, int) or limit <= count.min:
        return min(limit, most(count))
    return DistractorRange(count.min, min(limit, count.max))


def shown(count: DistractorCount) -> str:
    """Returns D as it is written on the command line: `4` or `{min:0,max:8}`."""
    return str(count) if isinstance(count, int) else f"{{min:{count.min},max:{count.max}}}"
