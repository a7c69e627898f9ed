"""Engines write replies: `generate(requests) -> answers`. One engine a file, chosen by `name`."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from raft_exp.models import ModelConfig
from raft_exp.records import Answer
from raft_exp.schema import Positive, Runtime, config_dataclass


@dataclass(frozen=True)
class Request:
    """One prompt: as token ids for engines with the weights at hand, as messages for a server."""

    id: str
    prompt_ids: list[int]
    messages: list[dict[str, str]]


class Engine(Protocol):
    """A model that is ready to answer. Decoding is greedy."""

    def generate(self, requests: Sequence[Request], answered: Collection[str] = ()) -> Iterator[Answer]:
        """Yields an answer for every request whose id is not in `answered`, in any order, as they come.

        Batches are planned over all requests, whatever is answered: a run that goes on after a kill computes
        the same batches, so the same bytes, as one that was never killed.
        """
        ...


@config_dataclass
class TransformersEngine:
    """The model runs in this process, by transformers."""

    name: Literal["transformers"]
    accelerator: Literal["cpu", "gpu", "auto"]
    batch_tokens: Runtime[Positive]  # tokens in one batch: padded prompts and room for the replies
    threads: Positive | None  # CPU threads of torch; changes the last bits


EngineConfig = TransformersEngine

Loader = Callable[[Any, ModelConfig, Path | None], Engine]
_MODULES = {"transformers": "raft_exp.engines.transformers"}


def load(config: EngineConfig, model: ModelConfig, adapter: Path | None = None) -> Engine:
    """The engine that `config.name` names, with the model and (where there is one) its adapter loaded."""
    loader: Loader = import_module(_MODULES[config.name]).load
    return loader(config, model, adapter)
