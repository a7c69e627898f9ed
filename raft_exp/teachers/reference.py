"""Teacher `reference`: the data set's own answer, with its explanation (long answer) as the reason where it has one."""

from collections.abc import Sequence
from typing import Literal

from raft_exp.core.records import Passage, Question, Target
from raft_exp.core.schema import config_dataclass


@config_dataclass
class ReferenceConfig:
    """The data set's own answers as targets. There are no settings."""

    name: Literal["reference"]


def write(config: ReferenceConfig, question: Question, gold: Sequence[Passage]) -> Target:
    """Returns a target with the question's first answer, and its explanation ("" without one) as the reason."""
    del config, gold
    return Target(question.id, question.answers[0], question.explanation)
