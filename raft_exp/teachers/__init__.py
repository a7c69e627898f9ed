"""Teachers: who writes the targets that a model learns. A new one is one file here and one line in TEACHERS.

A teacher sees a question and its gold passages, never p, D or the prompt mode: sweeps over those pay nothing again.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import Field

from raft_exp.records import Passage, Question, Target
from raft_exp.teachers import extractive, reference
from raft_exp.teachers.extractive import ExtractiveConfig
from raft_exp.teachers.reference import ReferenceConfig

TeacherConfig = Annotated[ReferenceConfig | ExtractiveConfig, Field(discriminator="name")]

Teacher = Callable[[Any, Question, Sequence[Passage]], Target]
TEACHERS: dict[str, Teacher] = {"reference": reference.write, "extractive": extractive.write}
