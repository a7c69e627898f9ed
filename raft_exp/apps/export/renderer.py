"""raft_exp.json in an exported folder: everything that decides a prompt, so that nobody has to guess it."""

import json
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from raft_exp.core.errors import DataError
from raft_exp.core.schema import Positive, config_dataclass, identity
from raft_exp.models import loading as models
from raft_exp.pipeline.config import ArmConfig, Config
from raft_exp.prompts import PromptConfig, PromptMode
from raft_exp.retrieval import RetrieverConfig

FILE = "raft_exp.json"


@config_dataclass
class Renderer:
    """How a question becomes a prompt of this model, and how its reply is read."""

    raft_exp: str  # the version that wrote it
    study: str
    arm: str
    prompt: PromptConfig
    prompt_mode: PromptMode
    cot: bool
    passages: bool  # whether the model is shown passages
    max_length: Positive  # tokens of prompt and reply together
    max_new_tokens: Positive
    dtype: Literal["float32", "bfloat16", "float16"]  # of the weights
    retriever: RetrieverConfig  # that of the study; any other will do
    base_model: str
    base_revision: str | None
    chat_template: bool  # the tokenizer's chat template makes the prompts, token for token


def of(config: Config, name: str, arm: ArmConfig, dtype: Any, chat_template: bool) -> Renderer:
    """The settings of an arm of a study."""
    return Renderer(
        metadata.version("raft_exp"),
        config.study,
        name,
        config.prompt,
        config.dataset.prompt_mode,
        arm.cot,
        arm.context == "passages",
        config.model.max_length,
        config.model.max_new_tokens,
        dtype,
        config.retriever,
        base_name(config),
        config.model.revision,
        chat_template,
    )


def base_name(config: Config) -> str:
    """The base model's id, or the name of its folder: never a path of this machine."""
    name = config.model.name_or_path
    return Path(name).name if not name.startswith(models.ASSET) and Path(models.resolve(name)).is_dir() else name


def write(folder: Path, renderer: Renderer) -> None:
    """Writes raft_exp.json."""
    text = json.dumps(identity(renderer), indent=2, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8", newline="\n")


def read(folder: Path) -> Renderer:
    """Reads raft_exp.json. DataError where there is none, or it is another version's."""
    file = folder / FILE
    try:
        found: Any = file.read_text(encoding="utf-8")
        return TypeAdapter(Renderer).validate_json(found)
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}; name a folder that raft_exp.export has written") from error
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise DataError(f"{file}: {place}: {problem['msg']}; export the model again with this version") from None
