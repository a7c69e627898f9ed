"""A session that answers questions with a finished run, for `ask` and `serve`."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from omegaconf import OmegaConf
from pydantic import TypeAdapter

from raft_exp import engines
from raft_exp.apps.ask.citations import NOTES, CitedAnswer, judge
from raft_exp.apps.ask.search import Accelerator, Method, Searcher
from raft_exp.apps.export import renderer
from raft_exp.core.collection import Passages
from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.records import Answer, ContextPassage, Example, Question
from raft_exp.core.schema import identity
from raft_exp.dataset.rows import RowBuilder, RowFormat, RowSpec, window_of
from raft_exp.engines import Engine, EngineConfig, Request
from raft_exp.evaluation.asking import ArmPrompts
from raft_exp.models.loading import ModelConfig, tokenizer_of
from raft_exp.models.tokens import encode_prompt
from raft_exp.pipeline.config import Config, conf_dir
from raft_exp.pipeline.run import FinishedRun
from raft_exp.prompts import PromptConfig, PromptMode, ReplyFormat

if TYPE_CHECKING:
    from raft_exp.engines.streaming import ReplyListener

EngineName = Literal["transformers", "vllm"]


@dataclass(frozen=True)
class AskOptions:
    """The user's options for `ask` and `serve`. None: the value of the study; for `model`, an arm answers."""

    arm: str | None = None
    model: str | None = None  # an exported folder instead of an arm of the run
    k: int | None = None
    retriever: Method | None = None
    engine: EngineName | None = None
    accelerator: Accelerator = "auto"


@dataclass(frozen=True)
class AskPrompt:
    """A question with its retrieved passages and its prompt."""

    question: str
    context: list[ContextPassage]  # as rendered: cleaned and shortened to fit
    sources: list[str]  # the file of each passage
    request: Request | None  # None if no passage was found; the model then writes no reply


class RagSession:
    """A finished run with its loaded model and retriever."""

    def __init__(self, run: FinishedRun, options: AskOptions) -> None:
        self._arm = _arm(run, options)
        self.name = f"{run.config.study}/{self._arm.name}"
        self.k = options.k or run.config.retriever.k
        self.model = self._arm.model
        self._min_quote_words = run.config.evaluation.min_quote_words
        method = options.retriever or run.config.retriever.name
        # first, because its errors come before the import of transformers, which takes seconds
        self._search = Searcher(run, method, options.accelerator) if self._arm.passages else None
        folder = run.path("ingest")
        self._passages = Passages(folder)
        window = window_of(self.model)
        # True, as for test rows: the context must fit with and without reasoning
        rendering = RowFormat(self._arm.prompt, self._arm.prompt_mode, self._arm.cot, window, True)
        self._rows = RowBuilder(rendering, folder)
        self._asked = ArmPrompts(self._arm.prompt, self._arm.prompt_mode, self._arm.cot, self.model, self._arm.examples)
        self._tokenizer = tokenizer_of(self.model)
        self.engine = _engine(run, options, self._arm)

    def prompt(self, name: str, question: str, k: int | None = None) -> AskPrompt:
        """Retrieves `k` passages and renders the prompt. Raises DataError for a question that is empty or too long.

        `name`: id of the request. `k`: None means the number of passages of this session.
        """
        if not question.strip():
            raise DataError("the question is empty; write a question")
        passages = self._search(question, k or self.k) if self._search else None
        if passages == []:
            return AskPrompt(question, [], [], None)
        example = self._rows(RowSpec(Question(name, question, [], [], "test"), passages, None)).example
        messages, _ = self._asked(example.question, example.context if self._arm.passages else None)
        ids = encode_prompt(self._tokenizer, messages)
        sources = [self._passages[ordinal].source for ordinal in passages or []]
        return AskPrompt(question, example.context, sources, Request(name, ids, messages))

    def judge(self, prompt: AskPrompt, reply: Answer | None) -> CitedAnswer:
        """Parses a reply and checks its citations. `reply`: None if no passage was found."""
        if reply is None:
            return CitedAnswer("", "", [], "nothing_found", NOTES["nothing_found"])
        return judge(
            reply,
            prompt.context,
            prompt.sources,
            self._arm.prompt,
            self._arm.cot,
            self._min_quote_words,
            prompt.question,
        )

    @property
    def reply_format(self) -> ReplyFormat:
        """The format in which the arm replies: paper or json."""
        return self._arm.prompt.reply_format


@dataclass(frozen=True)
class _Arm:
    """The weights that generate the replies, and the settings of their prompts."""

    name: str
    prompt: PromptConfig
    prompt_mode: PromptMode
    cot: bool
    passages: bool
    model: ModelConfig
    adapter: Path | None
    examples: list[Example]  # worked examples in each prompt


def _arm(run: FinishedRun, options: AskOptions) -> _Arm:
    config = run.config
    if options.model is None:
        name, arm = run.arm(options.arm)
        if arm.context == "gold":
            others = [other for other in config.evaluation.arms if config.arms[other].context != "gold"]
            raise ConfigError(
                f"arm: got {name!r}, whose prompts show the gold passages of test questions (context: gold), and a new "
                f"question has no gold passages; "
                + (f"name another arm: {', '.join(others)}" if others else "add rag to evaluation.arms and run again")
            )
        weights = run.weights(name)
        return _Arm(
            name,
            run.prompt(name),
            config.dataset.prompt_mode,
            arm.cot,
            arm.shows_passages,
            weights.model_config(config.model) if weights else config.model,
            weights.adapter if weights else None,
            run.examples(name),
        )
    if options.arm is not None:
        raise ConfigError(
            f"arm: got {options.arm!r} together with model={options.model!r}, "
            "but only one can answer; remove arm or model"
        )
    exported = renderer.read(Path(options.model))
    model = dataclasses.replace(
        config.model,
        name_or_path=options.model,
        revision=None,
        max_length=exported.max_length,
        max_new_tokens=exported.max_new_tokens,
        dtype=exported.dtype,
        quantize=None,
    )
    return _Arm(
        exported.arm,
        exported.prompt,
        exported.prompt_mode,
        exported.cot,
        exported.passages,
        model,
        None,
        exported.examples,
    )


def _engine(run: FinishedRun, options: AskOptions, answering: _Arm) -> Engine:
    arm = None if options.model else run.config.arms[answering.name]
    config: EngineConfig = (arm and arm.engine) or run.config.engine
    if options.engine and options.engine != config.name:
        config = _shipped(run.config, options.engine)
    if config.name == "transformers":
        config = dataclasses.replace(config, accelerator=options.accelerator)
    with TemporaryDirectory() as folder:
        model = None if config.name == "openai" else answering.model
        return engines.load(config, model, answering.adapter, Path(folder))


def _shipped(config: Config, name: EngineName) -> EngineConfig:
    """Returns the settings in conf/engine/`name`.yaml, for a study that used another engine."""
    values = OmegaConf.load(conf_dir() / "engine" / f"{name}.yaml")
    study = {group: identity(getattr(config, group)) for group in ("trainer", "lora", "model")}
    resolved = OmegaConf.to_container(OmegaConf.create({**study, "engine": values}), resolve=True)
    assert isinstance(resolved, dict)
    threads = getattr(config.trainer, "threads", None)
    engine = resolved["engine"] | ({"threads": threads} if name == "transformers" else {})
    shipped: EngineConfig = TypeAdapter(EngineConfig).validate_json(json.dumps(engine))
    return shipped


class StreamListener:
    """A `ReplyListener` that passes each piece to `write`, and never ends a reply early."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def said(self, request: Request, text: str) -> None:
        """Receives a piece of the reply."""
        self._write(text)

    def enough(self, request: Request, tokens: int) -> bool:
        """Returns False: the listener never ends a reply."""
        return False


@runtime_checkable
class StreamingEngine(Protocol):
    """An engine that can pass on a reply in pieces while it is generated."""

    def converse(self, requests: Sequence[Request], listener: "ReplyListener") -> Iterable[Answer]:
        """Answers all requests. `listener` receives each piece of a reply."""


def answer(engine: Engine | StreamingEngine, requests: Sequence[Request], listener: "ReplyListener") -> list[Answer]:
    """Returns the replies to `requests`. `listener` receives them in pieces, or whole if the engine does not stream."""
    if isinstance(engine, StreamingEngine):
        return list(engine.converse(requests, listener))
    replies, by_id = list(engine.generate(requests)), {request.id: request for request in requests}
    for reply in replies:
        listener.said(by_id[reply.id], reply.raw)
    return replies
