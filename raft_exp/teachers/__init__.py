"""Teachers: who writes the targets that a model learns. A new one is one file here and one line in TEACHERS.

Teachers that are models are asked through a desk (`desk.py`): `model.py` has their settings, `tasks.py` what they are
asked, `gate.py` what a reply must be.

A teacher sees a question and its gold passages, never p, D or the prompt mode: sweeps over those pay nothing again.
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
