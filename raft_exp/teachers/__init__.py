"""Teachers write the targets (reasoning and answer) that a model is trained on.

A teacher sees a question and its gold passages. Its targets do not depend on p, D or the prompt mode, so that a sweep
over these settings reuses the targets.

To add a teacher that computes its targets from the data set:

1. Write `raft_exp/teachers/<name>.py` with a config dataclass that has `name: Literal["<name>"]`, and
   `write(config, question, gold) -> Target`. `reference.py` is the shortest example. Every question that `write` gets
   has an answer.
2. Add the config to TeacherConfig and the function to TEACHERS below.
3. Write conf/teacher/<name>.yaml.

Teachers that are language models use the package `tasks`, which sends requests and stores replies. Their modules here:
`model.py` (settings), `tasks.py` (their tasks), `gate.py` (validation of replies), `answers.py` and `questions.py`
(files of the stages).
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import Field

from raft_exp.core.records import Passage, Question, Target
from raft_exp.teachers import extractive, reference
from raft_exp.teachers.extractive import ExtractiveConfig
from raft_exp.teachers.model import OpenaiTeacher, TransformersTeacher, VllmTeacher
from raft_exp.teachers.reference import ReferenceConfig

TeacherConfig = Annotated[
    ReferenceConfig | ExtractiveConfig | OpenaiTeacher | VllmTeacher | TransformersTeacher, Field(discriminator="name")
]

Teacher = Callable[[Any, Question, Sequence[Passage]], Target]
TEACHERS: dict[str, Teacher] = {"reference": reference.write, "extractive": extractive.write}
