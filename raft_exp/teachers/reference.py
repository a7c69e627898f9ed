"""Teacher `reference`: the data set's own answer, reasoned by its own long answer where it has one."""

from collections.abc import Sequence
from typing import Literal

from raft_exp.core.records import Passage, Question, Target
from raft_exp.core.schema import config_dataclass


@config_dataclass
class ReferenceConfig:
    """No settings: the data set decides."""

    name: Literal["reference"]


def write(config: ReferenceConfig, question: Question, gold: Sequence[Passage]) -> Target:
    """The first answer, and the data set's explanation as the reason."""
    del config, gold
    return Target(question.id, question.answers[0], question.explanation)
