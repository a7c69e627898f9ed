"""Teachers that are models: a server's (`openai`), or one that runs here (`vllm`, `transformers`).

A teacher is a model with three tasks: targets for questions; questions for passages, where the corpus brings none; and
the check that a written question can be answered.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import Field, model_validator

from raft_exp import prompts
from raft_exp.core import schema
from raft_exp.core.records import encodable
from raft_exp.core.schema import Positive, PositiveFloat, Runtime, Share, config_dataclass
from raft_exp.engines import TransformersEngine, VllmEngine
from raft_exp.engines.client.protocol import ChatConfig
from raft_exp.models import loading as models
from raft_exp.models.loading import ASSET, ModelConfig
from raft_exp.prompts.clean import Cleaner
from raft_exp.teachers.tasks import AnswerTask, CheckTask, QuestionTask

Price = Annotated[float, Field(ge=0)]


@config_dataclass
class Prices:
    """What a million tokens cost."""

    prompt: Price
    reply: Price


@config_dataclass
class OpenaiTeacher(ChatConfig):
    """A model behind any server that speaks OpenAI's protocol. What it wrote goes by its name, not by the server's."""

    name: Literal["openai"]
    base_url: Runtime[str]
    served_as: Runtime[str | None]
    targets: AnswerTask | None  # None: this stage writes none
    questions: QuestionTask | None
    check: CheckTask | None  # null: written questions are not checked
    prices: Runtime[Prices | None]  # null: unknown
    max_cost: Runtime[PositiveFloat | None]  # of one run, in the currency of `prices`
    min_kept: Runtime[Share]  # a smaller share of questions with a target ends the study
    ledger: Runtime[str]

    @model_validator(mode="after")
    def _a_budget_needs_prices(self) -> "OpenaiTeacher":
        if self.max_cost is not None and self.prices is None:
            raise ValueError(
                f"teacher.max_cost: got {self.max_cost:g}, but teacher.prices is null, so that nobody knows what a "
                "request costs; give teacher.prices={prompt: ..., reply: ...} per million tokens"
            )
        return self


@config_dataclass
class _LocalTeacher:
    model: ModelConfig
    targets: AnswerTask | None
    questions: QuestionTask | None
    check: CheckTask | None
    max_requests: Runtime[Positive | None]  # of one run
    min_kept: Runtime[Share]
    ledger: Runtime[str]
    window: Runtime[Positive]  # prompts that the engine is given at once

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
    """A model that vLLM runs here."""

    name: Literal["vllm"]
    engine: VllmEngine


@config_dataclass
class TransformersTeacher(_LocalTeacher):
    """A model that transformers runs here."""

    name: Literal["transformers"]
    engine: TransformersEngine


LocalTeacher = VllmTeacher | TransformersTeacher
ModelTeacher = Annotated[OpenaiTeacher | VllmTeacher | TransformersTeacher, Field(discriminator="name")]


def is_model(teacher: Any) -> TypeGuard[OpenaiTeacher | LocalTeacher]:
    """Whether a teacher has to be asked."""
    return isinstance(teacher, OpenaiTeacher | VllmTeacher | TransformersTeacher)


def is_local(teacher: Any) -> TypeGuard[LocalTeacher]:
    """Whether a teacher is a model that runs here."""
    return isinstance(teacher, VllmTeacher | TransformersTeacher)


def for_targets(teacher: ModelTeacher) -> ModelTeacher:
    """The teacher with the one task: settings of the others do not stand in the key."""
    return replace(teacher, questions=None, check=None)


def for_questions(teacher: ModelTeacher) -> ModelTeacher:
    """The teacher with the tasks that write questions."""
    return replace(teacher, targets=None)


def shown(teacher: ModelTeacher) -> dict[str, Any]:
    """What a report says of a teacher: the tasks by name, not their prompts."""
    asked = {name: getattr(teacher, name) for name in ("targets", "questions", "check")}
    tasks = {name: f"{task.name}, version {task.version}" for name, task in asked.items() if task}
    drawn = {name: task.temperature for name, task in asked.items() if task}
    model = teacher.model if isinstance(teacher.model, str) else teacher.model.name_or_path
    gate = schema.identity(teacher.targets.gate) if teacher.targets else {}
    return {"name": teacher.name, "model": model, "tasks": tasks, "temperature": drawn, "gate": gate}


def identity(teacher: ModelTeacher, weights: Mapping[str, str]) -> dict[str, Any]:
    """What tells a teacher's model from others in the ledger; `weights` are the content hashes of a local one."""
    if teacher.name == "openai":
        return {"model": teacher.model, "extra_body": teacher.extra_body}
    model = teacher.model
    name = model.name_or_path
    if weights and not name.startswith(ASSET):
        name = Path(name).name
    weighed = {"revision": model.revision, "dtype": model.dtype, "weights": dict(weights)}
    return {"model": name, **weighed, "by": teacher.name}


def cleaner(teacher: ModelTeacher) -> Callable[[str], str]:
    """Makes text of documents harmless for the teacher: no control tokens, none of our markers."""
    if is_local(teacher):
        tokenizer = models.load_tokenizer(teacher.model.name_or_path, teacher.model.revision)
        return Cleaner(prompts.MODES["plain_text"], tokenizer)
    clean = Cleaner(prompts.MODES["plain_text"])
    return lambda text: clean(text) if _suspect(text) else text


def _suspect(text: str) -> bool:
    """Whether there may be anything to make harmless; much cheaper than looking for all of it."""
    return "<" in text or "[" in text or "##" in text or not encodable(text)
