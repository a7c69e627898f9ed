"""Settings of teacher models: behind a server (`openai`) or in this process (`vllm`, `transformers`).

A teacher has up to three tasks: to write targets for questions; to write questions for passages, if the corpus has no
questions; and to check that these questions can be answered.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, TypeGuard, TypeVar

from pydantic import Field

from raft_exp.core import schema
from raft_exp.core.schema import Runtime, Share, config_dataclass
from raft_exp.engines import TransformersEngine, VllmEngine
from raft_exp.tasks.model import LocalModel, ServerModel
from raft_exp.tasks.task import Task
from raft_exp.teachers.tasks import AnswerTask, CheckTask, QuestionTask

Teacher = TypeVar("Teacher")


@config_dataclass
class OpenaiTeacher(ServerModel):
    """A teacher behind a server with OpenAI's chat API."""

    group: ClassVar[str] = "teacher"

    name: Literal["openai"]
    targets: AnswerTask | None  # None in the settings of a stage that writes no targets
    questions: QuestionTask | None
    check: CheckTask | None  # null: the teacher's questions are not checked
    min_kept: Runtime[Share]  # least share of questions with a target, and of written questions that pass the check


@config_dataclass
class _LocalTeacher(LocalModel):
    group: ClassVar[str] = "teacher"

    targets: AnswerTask | None
    questions: QuestionTask | None
    check: CheckTask | None
    min_kept: Runtime[Share]

    def named_tasks(self) -> Mapping[str, Task]:
        """Returns the tasks of the teacher that are set: `targets`, `questions`, `check`."""
        named = {"targets": self.targets, "questions": self.questions, "check": self.check}
        return {name: task for name, task in named.items() if task}


@config_dataclass
class VllmTeacher(_LocalTeacher):
    """A teacher that runs in this process with vLLM."""

    name: Literal["vllm"]
    engine: VllmEngine


@config_dataclass
class TransformersTeacher(_LocalTeacher):
    """A teacher that runs in this process with transformers."""

    name: Literal["transformers"]
    engine: TransformersEngine


LocalTeacher = VllmTeacher | TransformersTeacher
ModelTeacher = Annotated[OpenaiTeacher | VllmTeacher | TransformersTeacher, Field(discriminator="name")]


def is_model(teacher: object) -> TypeGuard[OpenaiTeacher | LocalTeacher]:
    """Returns whether a teacher is a language model."""
    return isinstance(teacher, OpenaiTeacher | VllmTeacher | TransformersTeacher)


def dated(teacher: Teacher, date: str) -> Teacher:
    """Returns a local model teacher with `date` as the date in its chat template; any other teacher is unchanged."""
    if not isinstance(teacher, VllmTeacher | TransformersTeacher):
        return teacher
    return replace(teacher, model=replace(teacher.model, date=date))


def for_targets(teacher: ModelTeacher) -> ModelTeacher:
    """Returns the teacher with only its task `targets`: other tasks must not change the key of the stage `targets`."""
    return replace(teacher, questions=None, check=None)


def for_questions(teacher: ModelTeacher) -> ModelTeacher:
    """Returns the teacher without its task `targets`: this task must not change the key of the stage `questions`."""
    return replace(teacher, targets=None)


def shown(teacher: ModelTeacher) -> dict[str, object]:
    """Returns the description of a teacher for the report: model, tasks (name and version), temperatures and gate."""
    configured = {name: getattr(teacher, name) for name in ("targets", "questions", "check")}
    tasks = {name: f"{task.name}, version {task.version}" for name, task in configured.items() if task}
    temperatures = {name: task.temperature for name, task in configured.items() if task}
    model = teacher.model if isinstance(teacher.model, str) else teacher.model.name_or_path
    gate = schema.identity(teacher.targets.gate) if teacher.targets else {}
    return {"name": teacher.name, "model": model, "tasks": tasks, "temperature": temperatures, "gate": gate}
