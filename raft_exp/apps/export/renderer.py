"""Reads and writes raft_exp.json of an exported model: all settings that determine a prompt."""

import json
from dataclasses import field, replace
from importlib import metadata
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from raft_exp.assets import ASSET
from raft_exp.core.errors import DataError
from raft_exp.core.records import Example
from raft_exp.core.schema import KeyedWhenSet, Positive, config_dataclass, identity
from raft_exp.models.dtype import Dtype
from raft_exp.models.loading import resolve
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.run import FinishedRun
from raft_exp.prompts import PromptConfig, PromptMode
from raft_exp.retrieval import RetrieverConfig

FILE = "raft_exp.json"


@config_dataclass
class Renderer:
    """The contents of raft_exp.json: the settings of a model's prompts and replies."""

    raft_exp: str  # version of the package
    study: str
    arm: str
    prompt: PromptConfig
    prompt_mode: PromptMode
    cot: bool
    passages: bool  # whether prompts contain passages
    max_length: Positive  # tokens of prompt and reply together
    max_new_tokens: Positive
    dtype: Dtype  # of the weights
    retriever: RetrieverConfig  # of the study; for information only
    base_model: str
    base_revision: str | None
    chat_template: bool  # whether the tokenizer's chat template alone makes the prompts, token for token
    examples: KeyedWhenSet[list[Example]] = field(default_factory=list)  # worked examples in each prompt


def of(run: FinishedRun, name: str, dtype: Dtype, chat_template: bool) -> Renderer:
    """Returns the contents of raft_exp.json for the arm `name` of a finished run."""
    config, arm = run.config, run.config.arms[name]
    return Renderer(
        metadata.version("raft_exp"),
        config.study,
        name,
        run.prompt(name),
        config.dataset.prompt_mode,
        arm.cot,
        arm.shows_passages,
        config.model.max_length,
        config.model.max_new_tokens,
        dtype,
        replace(config.retriever, rerank=None),  # it may be a local folder
        base_name(config),
        config.model.revision,
        chat_template,
        run.examples(name),
    )


def base_name(config: Config) -> str:
    """Returns the base model's id, or the name of its folder without the path."""
    name = config.model.name_or_path
    return Path(name).name if not name.startswith(ASSET) and Path(resolve(name)).is_dir() else name


def write(folder: Path, renderer: Renderer) -> None:
    """Writes raft_exp.json."""
    text = json.dumps(identity(renderer), indent=2, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8", newline="\n")


def read(folder: Path) -> Renderer:
    """Reads raft_exp.json. Raises DataError for a missing file, or a file of another version of raft_exp."""
    file = folder / FILE
    try:
        renderer: Renderer = TypeAdapter(Renderer).validate_json(file.read_text(encoding="utf-8"))
        return renderer
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}; name a folder that raft_exp.export has written") from error
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise DataError(f"{file}: {place}: {problem['msg']}; export the model again with this version") from None
