"""The engine `vllm`: decoding in this process, with one vLLM engine for all arms."""

import contextlib
import gc
import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from raft_exp.core.errors import ModelError
from raft_exp.core.records import Answer
from raft_exp.engines import NO_VLLM, Request, Sampling, VllmEngine, replies
from raft_exp.engines.streaming import ReplyListener, TokenDecoder
from raft_exp.models import loading
from raft_exp.models.adapter_checks import check_adapter
from raft_exp.models.loading import LoadArguments, ModelConfig
from raft_exp.models.merge import merge

if TYPE_CHECKING:
    from vllm import LLM
    from vllm.lora.request import LoRARequest
    from vllm.outputs import CompletionOutput

log = logging.getLogger(__name__)

# Set before the import of vLLM. Without vLLM's multiprocessing, a kill of this process also ends the engine on the GPU.
_ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
_WEIGHTS = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


@dataclass(frozen=True)
class _Loaded:
    """The vLLM engine of this process. There is at most one, as the memory is not enough for two."""

    llm: "LLM"
    settings: tuple[VllmEngine, ModelConfig, str]  # the str: fingerprint of the merged adapter, "" for none
    rank: int  # largest LoRA rank that the engine can load; 0: no adapters


_loaded: _Loaded | None = None


def load(config: VllmEngine, model: ModelConfig, adapter: Path | None, room: Path) -> "Vllm":
    """Returns an engine for the base model.

    Reuses the loaded engine if its settings are the same and it allows the rank of the adapter. A merged or dequantised
    model is written to a folder in `room`, loaded and removed. Raises ModelError if vLLM is not installed, or if the
    model or adapter cannot be loaded.
    """
    _check_installed()
    name = fingerprint(adapter) if adapter else ""
    merged = adapter if config.adapters == "merged" else None
    rank = 0 if config.adapters == "merged" else max(config.max_lora_rank, _rank(adapter))
    settings = (config, model, name if merged else "")
    if _loaded is None or _loaded.settings != settings or _loaded.rank < rank:
        close()
        _start(config, model, merged, rank, settings, room / "merged")
    assert _loaded is not None
    return Vllm(_loaded.llm, model, _lora(adapter, name) if adapter and not merged else None)


def fingerprint(adapter: Path) -> str:
    """Returns the SHA-256 digest of an adapter's settings and weights. Raises ModelError if a file is missing.

    The digest is the adapter's name in vLLM, as adapters with equal names would share the prefix cache.
    """
    digest = hashlib.sha256()
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        try:
            content = (adapter / file).read_bytes()
        except FileNotFoundError:
            raise ModelError(
                f"adapter={adapter}: the folder has no {file}; use a folder that PEFT's save_pretrained has written"
            ) from None
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def close() -> None:
    """Shuts down the vLLM engine of this process and frees its memory. Does nothing if no engine is loaded."""
    global _loaded
    if _loaded is None:
        return
    _loaded.llm.llm_engine.engine_core.shutdown()
    _loaded = None
    from vllm.distributed import cleanup_dist_env_and_memory

    gc.collect()
    cleanup_dist_env_and_memory()


class Vllm:
    """The vLLM engine of this process, with at most one adapter (`lora`). A merged adapter is part of the model."""

    def __init__(self, llm: "LLM", model: ModelConfig, lora: "LoRARequest | None") -> None:
        from transformers import AutoConfig, GenerationConfig

        self._engine, self._model, self._lora = llm.llm_engine, model, lora
        self._tokenizer = loading.tokenizer_of(model)
        source = loading.source(model.name_or_path, model.revision)
        try:
            own = GenerationConfig.from_pretrained(**_generation_config_arguments(source))
        except OSError:  # older models have their end token in config.json
            own = GenerationConfig.from_model_config(AutoConfig.from_pretrained(**source))
        self._stops = replies.stop_tokens(own, self._tokenizer)

    def generate(
        self,
        requests: Sequence[Request],
        answered: Collection[str] = (),
        sampling: Sampling | None = None,
        log_probabilities: bool = False,
    ) -> Iterator[Answer]:
        """Yields each answer as soon as it is complete (`Engine.generate`).

        Queues all requests in the engine, the longest first. `LLM.generate` would return only after the last answer, so
        that a kill would lose all answers.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        sampling = sampling or Sampling(0.0, 1.0, self._model.max_new_tokens)
        settings = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_new_tokens,
            stop_token_ids=self._stops,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            logprobs=0 if log_probabilities else None,  # 0: of the chosen token alone
        )
        done = frozenset(answered)
        ordered = sorted(requests, key=lambda request: (-len(request.prompt_ids), request.id))
        waiting = {request.id: request for request in ordered if request.id not in done}
        try:
            for name, request in waiting.items():
                prompt = {"prompt_token_ids": request.prompt_ids}
                self._engine.add_request(name, prompt, settings, lora_request=self._lora)
            while self._engine.has_unfinished_requests():
                for output in self._engine.step():
                    reply = output.outputs[0].token_ids
                    values = _log_probabilities(output.outputs[0]) if log_probabilities else None
                    yield replies.answer(waiting.pop(output.request_id), reply, self._stops, self._tokenizer, values)
        finally:
            if waiting:  # the engine is reused: requests without a reader must not stay in its queue
                self._engine.abort_request(list(waiting))

    def converse(self, requests: Sequence[Request], listener: ReplyListener) -> Iterator[Answer]:
        """Yields the answers of greedy decoding. `listener` gets the text in pieces and may end a reply early."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        settings = SamplingParams(
            temperature=0.0,
            max_tokens=self._model.max_new_tokens,
            stop_token_ids=self._stops,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )
        rows = {request.id: TokenDecoder(request, self._tokenizer, listener) for request in requests}
        waiting = set(rows)
        try:
            for request in requests:
                prompt = {"prompt_token_ids": request.prompt_ids}
                self._engine.add_request(request.id, prompt, settings, lora_request=self._lora)
            while self._engine.has_unfinished_requests():
                for output in self._engine.step():
                    row = rows[output.request_id]
                    row.take(output.outputs[0].token_ids, self._stops)
                    if not output.finished and listener.enough(row.request, len(row.tokens)):
                        self._engine.abort_request([output.request_id])
                    elif not output.finished:
                        continue
                    row.flush()
                    waiting.discard(output.request_id)
                    yield replies.answer(row.request, row.tokens, self._stops, self._tokenizer)
        finally:
            if waiting:
                self._engine.abort_request(list(waiting))


def _log_probabilities(output: "CompletionOutput") -> list[float] | None:
    """Returns the log probabilities of the tokens of a reply; None if vLLM returned none."""
    if output.logprobs is None:
        return None
    return [of_step[token].logprob for token, of_step in zip(output.token_ids, output.logprobs, strict=True)]


def _start(
    config: VllmEngine,
    model: ModelConfig,
    merged: Path | None,
    rank: int,
    settings: tuple[VllmEngine, ModelConfig, str],
    folder: Path,
) -> None:
    global _loaded
    shutil.rmtree(folder, ignore_errors=True)  # left by a killed run
    try:
        if merged or model.quantize:  # vLLM gets the dequantised weights of a quantised base model
            merge(model, merged, folder)
        llm = _llm(config, model, str(folder) if merged or model.quantize else _local(model), rank)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _loaded = _Loaded(llm, settings, rank)


@contextlib.contextmanager
def _without_numba_handle() -> Iterator[None]:
    """Hides a module of llvmlite, which bm25s imports, as vLLM's CPU build fails when it inspects this module."""
    handle = "llvmlite.binding.ffi"
    hidden = sys.modules.pop(handle, None)
    try:
        yield
    finally:
        if hidden:
            sys.modules[handle] = hidden


@_without_numba_handle()
def _llm(config: VllmEngine, model: ModelConfig, source: str, rank: int) -> "LLM":
    import vllm

    lora: dict[str, bool | int] = {"enable_lora": True, "max_loras": 1, "max_lora_rank": _allowed(rank)} if rank else {}
    try:
        return vllm.LLM(
            model=source,
            dtype=model.dtype,
            max_model_len=model.max_length,
            seed=0,
            trust_remote_code=False,
            skip_tokenizer_init=True,
            generation_config="vllm",
            load_format="safetensors",
            tensor_parallel_size=config.tensor_parallel_size,
            enforce_eager=config.enforce_eager,
            gpu_memory_utilization=config.gpu_memory_utilization,
            **lora,
        )
    except Exception as error:  # vLLM raises errors of many types
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        remedy = "engine.adapters=merged (if LoRA is the reason), a smaller engine.gpu_memory_utilization or model"
        raise ModelError(
            f"engine=vllm cannot load {model.name_or_path!r} ({reason}); "
            f"try {remedy}.max_length, or engine=transformers"
        ) from error


def _local(model: ModelConfig) -> str:
    """Returns the model's local folder, and downloads a model of the hub. Raises ModelError as `loading.load` does."""
    source = loading.source(model.name_or_path, model.revision)
    name = source["pretrained_model_name_or_path"]
    if Path(name).is_dir():
        return name
    from huggingface_hub import snapshot_download

    with loading.explained(model.name_or_path, model.revision):
        folder = snapshot_download(
            name,
            revision=model.revision,
            local_files_only=source["local_files_only"],
            allow_patterns=list(_WEIGHTS),
            ignore_patterns=["original/*", "consolidated*"],
        )
    return str(folder)


def _generation_config_arguments(source: LoadArguments) -> dict[str, object]:
    """Returns the arguments `source` with the model under the name that GenerationConfig.from_pretrained expects."""
    rest = {name: value for name, value in source.items() if name != "pretrained_model_name_or_path"}
    return {"pretrained_model_name": source["pretrained_model_name_or_path"], **rest}


def _lora(adapter: Path, name: str) -> "LoRARequest":
    from vllm.lora.request import LoRARequest

    number = int(name[:15], 16) + 1  # 60 bits: a positive int64
    return LoRARequest(name, number, str(adapter.absolute()))


def _rank(adapter: Path | None) -> int:
    if adapter is None:
        return 0
    check_adapter(adapter)
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    if settings.get("use_dora"):
        raise ModelError(f"adapter={adapter}: vLLM cannot load DoRA adapters; use engine.adapters=merged")
    return int(settings["r"])


def _allowed(rank: int) -> int:
    """Returns the smallest value of vLLM's max_lora_rank that is at least `rank`. vLLM allows only certain values.

    Raises ModelError where `rank` is higher than all of them.
    """
    from vllm.config.lora import MaxLoRARanks

    ranks = [supported for supported in get_args(MaxLoRARanks) if supported >= rank]
    if not ranks:
        raise ModelError(
            f"engine=vllm loads adapters up to rank {max(get_args(MaxLoRARanks))}, but rank {rank} is needed; use "
            "engine.adapters=merged"
        )
    return int(ranks[0])


def _check_installed() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import vllm  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "vllm":
            raise
        raise ModelError(f"engine.name: {NO_VLLM}, or use engine=transformers") from None
