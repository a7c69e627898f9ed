"""Settings of teacher models: behind a server (`openai`) or in this process (`vllm`, `transformers`).

A teacher has up to three tasks: to write targets for questions; to write questions for passages, if the corpus has no
questions; and to check that these questions can be answered.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, TypeGuard, TypeVar

from pydantic import Field, model_validator

from raft_exp import prompts
from raft_exp.assets import ASSET
from raft_exp.core import schema
from raft_exp.core.records import encodable
from raft_exp.core.schema import Positive, PositiveFloat, Runtime, Share, config_dataclass
from raft_exp.engines import TransformersEngine, VllmEngine
from raft_exp.engines.client.protocol import ChatConfig
from raft_exp.models.loading import ModelConfig, tokenizer_of
from raft_exp.prompts.clean import Cleaner
from raft_exp.teachers.tasks import AnswerTask, CheckTask, QuestionTask

Teacher = TypeVar("Teacher")
Price = Annotated[float, Field(ge=0)]


@config_dataclass
class Prices:
    """The prices of a server, in any currency."""

    prompt: Price  # for a million prompt tokens
    reply: Price  # for a million reply tokens


@config_dataclass
class OpenaiTeacher(ChatConfig):
    """A model behind a server with OpenAI's chat API. The ledger stores replies by model name, not by server."""

    name: Literal["openai"]
    base_url: Runtime[str]
    served_as: Runtime[str | None]
    targets: AnswerTask | None  # None in the settings of a stage that writes no targets
    questions: QuestionTask | None
    check: CheckTask | None  # null: the teacher's questions are not checked
    prices: Runtime[Prices | None]  # null: unknown
    max_cost: Runtime[PositiveFloat | None]  # limit for one run, in the currency of `prices`
    min_kept: Runtime[Share]  # least share of questions with a target
    ledger: Runtime[str]

    @model_validator(mode="after")
    def _a_budget_needs_prices(self) -> "OpenaiTeacher":
        if self.max_cost is not None and self.prices is None:
            raise ValueError(
                f"teacher.max_cost: got {self.max_cost:g}, but teacher.prices is null; set the prices of a million "
                "tokens, as in 'teacher.prices={prompt: 2.0, reply: 8.0}', or teacher.max_cost=null"
            )
        return self


@config_dataclass
class _LocalTeacher:
    model: ModelConfig
    targets: AnswerTask | None
    questions: QuestionTask | None
    check: CheckTask | None
    max_requests: Runtime[Positive | None]  # limit for the prompts of one run
    min_kept: Runtime[Share]
    ledger: Runtime[str]
    window: Runtime[Positive]  # number of prompts in one call of the engine

    @model_validator(mode="after")
    def _a_prompt_has_room(self) -> "_LocalTeacher":
        for field in ("targets", "questions", "check"):
            task = getattr(self, field)
            if task and task.max_new_tokens >= self.model.max_length:
                raise ValueError(
                    f"teacher.{field}.max_new_tokens: got {task.max_new_tokens}; must be less than "
                    f"teacher.model.max_length={self.model.max_length}, which holds prompt and reply"
                )
        return self


@config_dataclass
class VllmTeacher(_LocalTeacher):
    """A model that runs in this process with vLLM."""

    name: Literal["vllm"]
    engine: VllmEngine


@config_dataclass
class TransformersTeacher(_LocalTeacher):
    """A model that runs in this process with transformers."""

    name: Literal["transformers"]
    engine: TransformersEngine


LocalTeacher = VllmTeacher | TransformersTeacher
ModelTeacher = Annotated[OpenaiTeacher | VllmTeacher | TransformersTeacher, Field(discriminator="name")]


def is_model(teacher: object) -> TypeGuard[OpenaiTeacher | LocalTeacher]:
    """Returns whether a teacher is a language model."""
    return isinstance(teacher, OpenaiTeacher | VllmTeacher | TransformersTeacher)


def is_local(teacher: object) -> TypeGuard[LocalTeacher]:
    """Returns whether a teacher is a language model that runs in this process."""
    return isinstance(teacher, VllmTeacher | TransformersTeacher)


def dated(teacher: Teacher, date: str) -> Teacher:
    """Returns the teacher with `date` as the date in its chat template. Does not change a teacher behind a server."""
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


def identity(teacher: ModelTeacher, weights: Mapping[str, str]) -> dict[str, object]:
    """Returns the fields that identify a teacher's model in the keys of the ledger.

    `weights`: content hashes of the files of a local model, {} for other models.
    """
    if teacher.name == "openai":
        return {"model": teacher.model, "extra_body": teacher.extra_body}
    model = teacher.model
    name = model.name_or_path
    if weights and not name.startswith(ASSET):
        name = Path(name).name
    version = {"revision": model.revision, "dtype": model.dtype, "weights": dict(weights)}
    quantized = {"quantize": model.quantize} if model.quantize else {}
    return {"model": name, **version, **quantized, "by": teacher.name}


def cleaner(teacher: ModelTeacher) -> Callable[[str], str]:
    """Returns a function that makes control tokens and reply markers in document texts harmless (`prompts.clean`)."""
    if is_local(teacher):
        tokenizer = tokenizer_of(teacher.model)
        return Cleaner(prompts.MODES["plain_text"], tokenizer)
    clean = Cleaner(prompts.MODES["plain_text"])
    return lambda text: clean(text) if _suspect(text) else text


def _suspect(text: str) -> bool:
    """Returns whether a text may need cleaning. This fast test spares most texts the slow search."""
    return "<" in text or "[" in text or "##" in text or not encodable(text)
