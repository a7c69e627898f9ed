"""From a question to a judged reply: the way that `ask` and `serve` share."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from omegaconf import OmegaConf
from pydantic import TypeAdapter

from raft_exp import engines
from raft_exp.apps.ask.citations import SAID, CitedAnswer, judge
from raft_exp.apps.ask.search import Accelerator, Method, Searcher
from raft_exp.apps.export import renderer
from raft_exp.core.collection import Passages
from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.records import Answer, ContextPassage, Question
from raft_exp.core.schema import identity
from raft_exp.dataset.rows import RowBuilder, RowFormat, RowSpec, Window
from raft_exp.engines import Request
from raft_exp.models import loading as models
from raft_exp.models.loading import ModelConfig
from raft_exp.models.tokens import encode_prompt
from raft_exp.pipeline.config import Config, conf_dir
from raft_exp.pipeline.run import FinishedRun
from raft_exp.prompts import PromptConfig

EngineName = Literal["transformers", "vllm"]


@dataclass(frozen=True)
class AskOptions:
    """What a user may choose; None: as in the study."""

    arm: str | None = None
    model: str | None = None  # an exported folder instead of an arm of the run
    k: int | None = None
    retriever: Method | None = None
    engine: EngineName | None = None
    accelerator: Accelerator = "auto"


@dataclass(frozen=True)
class AskPrompt:
    """A question with what was found for it. Without a request nothing was found, and nothing is asked."""

    question: str
    context: list[ContextPassage]  # as shown: cleaned, cut to the budget
    sources: list[str]  # the file of each
    request: Request | None


class RagSession:
    """A finished run, ready to be asked. Loading takes as long as the model does."""

    def __init__(self, run: FinishedRun, how: AskOptions) -> None:
        self._shown = _shown(run, how)
        self.name = f"{run.config.study}/{self._shown.name}"
        self.k = how.k or run.config.retriever.k
        self.model = self._shown.model
        folder = run.path("ingest")
        self._passages = Passages(folder)
        window = Window(self.model.name_or_path, self.model.revision, self.model.max_length, self.model.max_new_tokens)
        # as the test rows were: the context must fit with either instruction
        rendering = RowFormat(self._shown.prompt, self._shown.prompt_mode, self._shown.cot, window, True)
        self._rows = RowBuilder(rendering, folder)
        self._tokenizer = models.load_tokenizer(self.model.name_or_path, self.model.revision)
        method = how.retriever or run.config.retriever.name
        self.engine: Any = _engine(run, how, self.model, self._shown.adapter)
        self._search = Searcher(run, method, how.accelerator) if self._shown.passages else None

    def prompt(self, name: str, question: str, k: int | None = None) -> AskPrompt:
        """Finds passages and renders the prompt. Raises DataError for a question that is empty or does not fit."""
        if not question.strip():
            raise DataError("the question is empty; ask one")
        found = self._search(question, k or self.k) if self._search else None
        if found == []:
            return AskPrompt(question, [], [], None)
        example = self._rows(RowSpec(Question(name, question, [], [], "test"), found, None)).example
        ids = encode_prompt(self._tokenizer, example.messages)
        sources = [self._passages[ordinal].source for ordinal in found or []]
        return AskPrompt(question, example.context, sources, Request(name, ids, example.messages))

    def judge(self, asked: AskPrompt, reply: Answer | None) -> CitedAnswer:
        """The reply taken apart; None where nothing was asked."""
        if reply is None:
            return CitedAnswer("", "", [], "nothing_found", SAID["nothing_found"])
        return judge(reply, asked.context, asked.sources, self._shown.prompt, self._shown.cot)

    @property
    def reply_format(self) -> Any:
        """The form that replies have."""
        return self._shown.prompt.reply_format


@dataclass(frozen=True)
class _Shown:
    """What answers, and how it is prompted."""

    name: str
    prompt: PromptConfig
    prompt_mode: str
    cot: bool
    passages: bool
    model: ModelConfig
    adapter: Path | None


def _shown(run: FinishedRun, how: AskOptions) -> _Shown:
    config = run.config
    if how.model is None:
        name, arm = run.arm(how.arm)
        weights = run.weights(name)
        return _Shown(
            name,
            config.prompt,
            config.dataset.prompt_mode,
            arm.cot,
            arm.context == "passages",
            weights.model_config(config.model) if weights else config.model,
            weights.adapter if weights else None,
        )
    if how.arm is not None:
        raise ConfigError(
            f"arm: got {how.arm!r} beside model={how.model!r}, which is an arm of its own; give one of them"
        )
    found = renderer.read(Path(how.model))
    base = dataclasses.replace(config.model, name_or_path=how.model, revision=None)
    return _Shown(
        found.arm,
        found.prompt,
        found.prompt_mode,
        found.cot,
        found.passages,
        dataclasses.replace(base, max_length=found.max_length, max_new_tokens=found.max_new_tokens, dtype=found.dtype),
        None,
    )


def _engine(run: FinishedRun, how: AskOptions, model: ModelConfig, adapter: Path | None) -> Any:
    arm = run.config.arms.get(how.arm or "")
    config: Any = (arm and arm.engine) or run.config.engine
    if how.engine and how.engine != config.name:
        config = _shipped(run.config, how.engine)
    if config.name == "transformers":
        config = dataclasses.replace(config, accelerator=how.accelerator)
    with TemporaryDirectory() as room:
        return engines.load(config, None if config.name == "openai" else model, adapter, Path(room))


def _shipped(config: Config, name: EngineName) -> Any:
    """An engine that the study did not have, as conf/engine/ has it."""
    values = OmegaConf.load(conf_dir() / "engine" / f"{name}.yaml")
    study = {group: identity(getattr(config, group)) for group in ("trainer", "lora", "model")}
    resolved: Any = OmegaConf.to_container(OmegaConf.create({**study, "engine": values}), resolve=True)
    threads = getattr(config.trainer, "threads", None)
    engine = resolved["engine"] | ({"threads": threads} if name == "transformers" else {})
    return TypeAdapter(engines.EngineConfig).validate_json(json.dumps(engine))


class StreamListener:
    """A `Listener` of one reader: hands every piece on, and lets the reply come to its end."""

    def __init__(self, write: Any) -> None:
        self._write = write

    def said(self, request: Request, text: str) -> None:
        """More of the reply."""
        self._write(text)

    def enough(self, request: Request, tokens: int) -> bool:
        """Not before its end."""
        return False


def answer(engine: Any, requests: Sequence[Request], listener: Any) -> list[Answer]:
    """The replies, told piece by piece where the engine can."""
    if hasattr(engine, "converse"):
        return list(engine.converse(requests, listener))
    replies, by_id = list(engine.generate(requests)), {request.id: request for request in requests}
    for reply in replies:
        listener.said(by_id[reply.id], reply.raw)
    return replies
