"""The engine `vllm`: greedy decoding in this process; one vLLM engine is loaded once and answers all arms."""

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
from typing import Any, get_args

from raft_exp.core.errors import ModelError
from raft_exp.core.records import Answer
from raft_exp.engines import NO_VLLM, Request, Sampling, VllmEngine, replies
from raft_exp.engines.streaming import ReplyListener, TokenDecoder
from raft_exp.models import loading as models
from raft_exp.models import merge as merging
from raft_exp.models.loading import ModelConfig

log = logging.getLogger(__name__)

# Before the import. In this process: what this process ends, or a kill ends, leaves no engine behind on a GPU.
_ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
_WEIGHTS = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


@dataclass(frozen=True)
class _Loaded:
    """The engine that this process holds: there is one at a time, as a second would find no memory."""

    llm: Any
    settings: tuple[Any, ...]  # what it was loaded with: an arm that asks for the same is answered by it
    rank: int  # largest adapter that it takes; 0: none


_loaded: _Loaded | None = None


def load(config: VllmEngine, model: ModelConfig, adapter: Path | None, room: Path) -> "Vllm":
    """The engine of this base model, loaded or as it stands. Raises ModelError with the remedy.

    A merged model is written under `room` while it is loaded, and removed.
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
    """sha256 of an adapter's settings and weights: its name in the engine, so that no two share cached prefixes."""
    digest = hashlib.sha256()
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        try:
            content = (adapter / file).read_bytes()
        except FileNotFoundError:
            raise ModelError(f"adapter={adapter}: no {file} there; give a folder that PEFT has written") from None
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def close() -> None:
    """Ends the engine that this process holds and gives its memory back."""
    global _loaded
    if _loaded is None:
        return
    _loaded.llm.llm_engine.engine_core.shutdown()
    _loaded = None
    from vllm.distributed import cleanup_dist_env_and_memory

    gc.collect()
    cleanup_dist_env_and_memory()


class Vllm:
    """The process's engine, answering as the base model or as one adapter on it."""

    def __init__(self, llm: Any, model: ModelConfig, lora: Any) -> None:
        from transformers import AutoConfig, GenerationConfig

        self._engine, self._model, self._lora = llm.llm_engine, model, lora
        self._tokenizer = models.load_tokenizer(model.name_or_path, model.revision)
        where = models.source(model.name_or_path, model.revision)
        try:
            own = GenerationConfig.from_pretrained(**_file(where))
        except OSError:  # an older model has its end token among its settings
            own = GenerationConfig.from_model_config(AutoConfig.from_pretrained(**where))
        self._stops = replies.stop_tokens(own, self._tokenizer)

    def generate(
        self, requests: Sequence[Request], answered: Collection[str] = (), sampling: Sampling | None = None
    ) -> Iterator[Answer]:
        """As `Engine.generate`; each answer comes when it is finished, while others are still being written.

        All requests wait in the engine, the longest first, and it fills its batches from them: a kill loses what was
        in these batches. `LLM.generate` would do the same and return at the very end.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        how = sampling or Sampling(0.0, 1.0, self._model.max_new_tokens)
        settings = SamplingParams(
            temperature=how.temperature,
            top_p=how.top_p,
            max_tokens=how.max_new_tokens,
            stop_token_ids=self._stops,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
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
                    yield replies.answer(waiting.pop(output.request_id), reply, self._stops, self._tokenizer)
        finally:
            if waiting:  # the engine stays: what nobody waits for any more must not
                self._engine.abort_request(list(waiting))

    def converse(self, requests: Sequence[Request], listener: ReplyListener) -> Iterator[Answer]:
        """As `generate`, with somebody who reads along while the replies are written, and may end them."""
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


def _start(
    config: VllmEngine, model: ModelConfig, merged: Path | None, rank: int, settings: tuple[Any, ...], folder: Path
) -> None:
    global _loaded
    shutil.rmtree(folder, ignore_errors=True)  # of a killed run
    try:
        if merged:
            merging.merge(model, merged, folder)
        llm = _llm(config, model, str(folder) if merged else _local(model), rank)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _loaded = _Loaded(llm, settings, rank)


@contextlib.contextmanager
def _numba_out_of_sight() -> Iterator[None]:
    """vLLM's CPU build looks into every loaded module, and breaks on the library handle of numba, which bm25s loads."""
    handle = "llvmlite.binding.ffi"
    hidden = sys.modules.pop(handle, None)
    try:
        yield
    finally:
        if hidden:
            sys.modules[handle] = hidden


@_numba_out_of_sight()
def _llm(config: VllmEngine, model: ModelConfig, source: str, rank: int) -> Any:
    import vllm

    lora: dict[str, Any] = {"enable_lora": True, "max_loras": 1, "max_lora_rank": _allowed(rank)} if rank else {}
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
    except Exception as error:  # vLLM raises all kinds; what it printed stands above
        told = " ".join(str(error).split())[:300] or type(error).__name__
        remedy = "engine.adapters=merged where LoRA is the reason, a smaller engine.gpu_memory_utilization or model"
        raise ModelError(
            f"engine=vllm cannot load {model.name_or_path!r} ({told}); try {remedy}.max_length, or engine=transformers"
        ) from error


def _local(model: ModelConfig) -> str:
    """The model's folder: what the hub has is fetched as transformers would, with the same errors."""
    found = models.source(model.name_or_path, model.revision)
    name = str(found["pretrained_model_name_or_path"])
    if Path(name).is_dir():
        return name
    from huggingface_hub import snapshot_download

    with models.explained(model.name_or_path, model.revision):
        fetched = snapshot_download(
            name,
            revision=model.revision,
            local_files_only=found["local_files_only"],
            allow_patterns=list(_WEIGHTS),
            ignore_patterns=["original/*", "consolidated*"],
        )
    return str(fetched)


def _file(where: dict[str, Any]) -> dict[str, Any]:
    """`models.source` in the words of GenerationConfig."""
    rest = {name: value for name, value in where.items() if name != "pretrained_model_name_or_path"}
    return {"pretrained_model_name": where["pretrained_model_name_or_path"], **rest}


def _lora(adapter: Path, name: str) -> Any:
    from vllm.lora.request import LoRARequest

    return LoRARequest(name, int(name[:15], 16) + 1, str(adapter.absolute()))  # 60 bits: an int64, and above 0


def _rank(adapter: Path | None) -> int:
    return int(json.loads((adapter / "adapter_config.json").read_text())["r"]) if adapter else 0


def _allowed(rank: int) -> int:
    """vLLM takes some ranks alone; an adapter of a smaller one fits into each."""
    from vllm.config.lora import MaxLoRARanks

    ranks = [one for one in get_args(MaxLoRARanks) if one >= rank]
    if not ranks:
        raise ModelError(
            f"engine=vllm takes adapters of rank {max(get_args(MaxLoRARanks))} at most, and this one has "
            f"{rank}; use engine.adapters=merged"
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
