"""Checks for the packages, GPUs and API keys that the planned stages need, before any stage runs."""

from collections.abc import Callable, Sequence, Set
from importlib.util import find_spec

from raft_exp.core.errors import ModelError
from raft_exp.core.stage import Stage
from raft_exp.corpora.documents import DocumentsConfig, check_installed
from raft_exp.engines import NO_VLLM
from raft_exp.engines.client.protocol import ChatConfig, key_of
from raft_exp.models import gguf, quantization
from raft_exp.models.loading import ModelConfig, base_memory
from raft_exp.pipeline import converted, gpus
from raft_exp.tasks import ledger
from raft_exp.tasks.model import ServerModel, is_local


def check_requirements(stages: Sequence[Stage], elsewhere: Callable[[Stage], bool] = lambda stage: False) -> None:
    """Raises ModelError, DataError or ConfigError for the first missing requirement. The message names a remedy.

    `elsewhere`: whether a stage runs on other machines, so that this machine needs no GPU for it.
    """
    gpus.check(stage for stage in stages if not elsewhere(stage))
    _check_readers(stages)
    _check_engines(stages)
    _check_quantization(stages)
    _check_keys(stages)


def _check_readers(stages: Sequence[Stage]) -> None:
    """Raises DataError or ModelError if a package that reads the user's files is not installed."""
    for stage in stages:
        corpus = getattr(stage.config, "corpus", None)
        if stage.name == "ingest" and isinstance(corpus, DocumentsConfig):
            check_installed(corpus)
        if stage.name == converted.STAGE:
            gguf.check_installed(stage.config.name_or_path)


def _check_engines(stages: Sequence[Stage]) -> None:
    """Raises ModelError for an engine that is not installed, before any stage runs."""
    for stage in (stage for stage in stages if not stage.launcher):
        for name, group in (("engine", "engine"), ("teacher", "teacher"), ("judge", "evaluation.judge")):
            if getattr(getattr(stage.config, name, None), "name", "") == "vllm" and find_spec("vllm") is None:
                raise ModelError(f"{group}: {NO_VLLM}, or use {group}=transformers")


def _check_quantization(stages: Sequence[Stage]) -> None:
    """Raises ModelError if a stage quantises weights and bitsandbytes is not installed, before any stage runs."""
    for stage in (stage for stage in stages if not stage.launcher):
        for group, model in _models(stage):
            quantization.check_installed(model.quantize, group)


def _check_keys(stages: Sequence[Stage]) -> None:
    """Raises ConfigError if the API key of a stage is missing, before any stage runs.

    A teacher or judge is not checked if its ledger has replies of its model, as only new requests need the key. A judge
    of replies that this run generates is always checked, so that the run does not fail after it made these replies.
    """
    planned = {stage.key for stage in stages}
    for stage in stages:
        engine, *asked = (getattr(stage.config, name, None) for name in ("engine", "teacher", "judge"))
        if isinstance(engine, ChatConfig):
            key_of(engine, "engine")
        for model in asked:
            if isinstance(model, ServerModel) and (
                _judges_new_replies(stage, planned) or not ledger.has_answers(model.ledger, model.model)
            ):
                key_of(model, model.group)


def _judges_new_replies(stage: Stage, planned: Set[str]) -> bool:
    """Whether a judge's stage reads answers of a planned stage. `planned`: the keys of the planned stages."""
    read = (made for name, made in stage.inputs.items() if name in ("answers", "answers_a", "answers_b"))
    return any(isinstance(made, Stage) and made.key in planned for made in read)


def quantized_bases(stages: Sequence[Stage]) -> list[str]:
    """Returns one line for each quantised base model that the planned stages load: its name and its memory."""
    models = dict.fromkeys(pair for stage in stages for pair in _models(stage) if pair[1].quantize)
    lines = []
    for group, model in models:
        try:
            memory = str(base_memory(model))
        except ModelError as error:
            memory = f"unknown ({error})"
        lines.append(f"memory of {group} {model.name_or_path} ({model.quantize}): {memory}")
    return lines


def _models(stage: Stage) -> list[tuple[str, ModelConfig]]:
    """Returns the models that a stage loads, each with the name of its settings group."""
    own = getattr(stage.config, "model", None)
    asked = [getattr(stage.config, name, None) for name in ("teacher", "judge")]
    local = [(f"{model.group}.model", model.model) for model in asked if is_local(model)]
    return [*([("model", own)] if isinstance(own, ModelConfig) else []), *local]
