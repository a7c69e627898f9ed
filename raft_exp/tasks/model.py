"""Settings of a model that does tasks: behind a server, or in this process with vLLM or transformers.

A package that uses `tasks` adds its own tasks to one of these classes, for example a teacher or a judge.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeGuard

from pydantic import Field, model_validator

from raft_exp import prompts
from raft_exp.assets import ASSET
from raft_exp.core.records import encodable
from raft_exp.core.schema import Positive, PositiveFloat, Runtime, config_dataclass
from raft_exp.engines import TransformersEngine, VllmEngine
from raft_exp.engines.client.protocol import ChatConfig
from raft_exp.models.loading import ModelConfig, tokenizer_of
from raft_exp.prompts.clean import Cleaner
from raft_exp.tasks.task import Task

Price = Annotated[float, Field(ge=0)]


@config_dataclass
class Prices:
    """The prices of a server, in any currency."""

    prompt: Price  # for a million prompt tokens
    reply: Price  # for a million reply tokens


@config_dataclass
class ServerModel(ChatConfig):
    """A model behind a server with OpenAI's chat API. The ledger stores replies by model name, not by server."""

    group: ClassVar[str]  # name of the settings in messages, e.g. teacher

    base_url: Runtime[str | list[str]]
    served_as: Runtime[str | None]
    prices: Runtime[Prices | None]  # null: unknown
    max_cost: Runtime[PositiveFloat | None]  # limit for one run, in the currency of `prices`
    ledger: Runtime[str]

    @model_validator(mode="after")
    def _a_budget_needs_prices(self) -> "ServerModel":
        if self.max_cost is not None and self.prices is None:
            raise ValueError(
                f"{self.group}.max_cost: got {self.max_cost:g}, but {self.group}.prices is null; set the prices of a "
                f"million tokens, as in '{self.group}.prices={{prompt: 2.0, reply: 8.0}}', or "
                f"{self.group}.max_cost=null"
            )
        return self


@config_dataclass
class LocalModel:
    """A model that runs in this process."""

    group: ClassVar[str]  # name of the settings in messages, e.g. teacher

    name: Literal["vllm", "transformers"]
    model: ModelConfig
    engine: VllmEngine | TransformersEngine
    max_requests: Runtime[Positive | None]  # limit for the prompts of one run
    ledger: Runtime[str]
    window: Runtime[Positive]  # number of prompts in one call of the engine

    def named_tasks(self) -> Mapping[str, Task]:
        """Returns the tasks of the model. The key of a task is the name of the setting that holds it."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _a_prompt_has_room(self) -> "LocalModel":
        for field, task in self.named_tasks().items():
            if task.max_new_tokens >= self.model.max_length:
                raise ValueError(
                    f"{self.group}.{field}.max_new_tokens: got {task.max_new_tokens}; must be less than "
                    f"{self.group}.model.max_length={self.model.max_length}, which holds prompt and reply; set a "
                    f"smaller {self.group}.{field}.max_new_tokens, or a larger {self.group}.model.max_length"
                )
        return self


TaskModel = ServerModel | LocalModel


def is_local(model: object) -> TypeGuard[LocalModel]:
    """Returns whether a model runs in this process. Returns False for settings that are no model."""
    return isinstance(model, LocalModel)


def identity(model: TaskModel, weights: Mapping[str, str]) -> dict[str, object]:
    """Returns the fields that identify a model in the keys of the ledger.

    `weights`: content hashes of the files of a local model, {} for other models.
    """
    if isinstance(model, ServerModel):
        return {"model": model.model, "extra_body": model.extra_body}
    local = model.model
    name = local.name_or_path
    if weights and not name.startswith(ASSET):
        name = Path(name).name
    version = {"revision": local.revision, "dtype": local.dtype, "weights": dict(weights)}
    quantized = {"quantize": local.quantize} if local.quantize else {}
    return {"model": name, **version, **quantized, "by": model.name}


def cleaner(model: TaskModel) -> Callable[[str], str]:
    """Returns a function that makes control tokens and reply markers in document texts harmless (`prompts.clean`)."""
    if is_local(model):
        tokenizer = tokenizer_of(model.model)
        return Cleaner(prompts.MODES["plain_text"], tokenizer)
    clean = Cleaner(prompts.MODES["plain_text"])
    return lambda text: clean(text) if _suspect(text) else text


def _suspect(text: str) -> bool:
    """Returns whether a text may need cleaning. This fast test spares most texts the slow search."""
    return "<" in text or "[" in text or "##" in text or not encodable(text)
