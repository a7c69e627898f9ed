"""Teacher `reference`: a target is the answer of the data set, with its long answer (if it has one) as reasoning."""

from collections.abc import Sequence
from typing import Literal

from raft_exp.core.records import Passage, Question, Target
from raft_exp.core.schema import config_dataclass


@config_dataclass
class ReferenceConfig:
    """The teacher `reference` has no settings."""

    name: Literal["reference"]


def write(config: ReferenceConfig, question: Question, gold: Sequence[Passage]) -> Target:
    """Returns a target: the question's first answer, with the long answer as reasoning ("" without a long answer)."""
    del config, gold
    return Target(question.id, question.answers[0], question.explanation)
