"""The engine `transformers`: decoding in this process, in left-padded batches."""

import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteriaList

from raft_exp.core.collection import hash64
from raft_exp.core.errors import ModelError
from raft_exp.core.records import Answer
from raft_exp.engines import Request, Sampling, TransformersEngine, cpu, replies
from raft_exp.engines.streaming import ReplyListener, StreamingCriteria
from raft_exp.models import loading
from raft_exp.models.loading import ModelConfig

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)


def load(config: TransformersEngine, model: ModelConfig, adapter: Path | None, room: Path) -> "Transformers":
    """Loads model, tokenizer and adapter. Does not use `room`.

    Raises ModelError if model or adapter cannot be loaded, and for accelerator=gpu on a machine without a GPU.
    """
    tokenizer = loading.tokenizer_of(model)
    base = loading.load(model, device(config))
    cpu.use_attention(base)
    if adapter is None:
        return Transformers(base, tokenizer, config, model)
    adapted = loading.with_adapter(base, adapter)
    use_base_dtype(adapted)
    return Transformers(adapted, tokenizer, config, model)


def use_base_dtype(model: "PeftModel") -> None:
    """Converts a LoRA adapter to the base model's dtype, as vLLM does.

    With an adapter in float32, each layer would convert its inputs and outputs: on a CPU this doubles the time for a
    prompt, and on a GPU it adds kernels to each decoding step. A DoRA adapter stays in float32, as its norms need the
    precision.
    """
    parameters = dict(model.named_parameters())
    if any("lora_magnitude_vector" in name for name in parameters):
        return
    for name, parameter in parameters.items():
        if ".lora_A." in name or ".lora_B." in name:
            parameter.data = parameter.data.to(model.dtype)


def device(config: TransformersEngine) -> str:
    """Returns the torch device of `engine.accelerator`. Raises ModelError for `gpu` on a machine without a GPU."""
    has_gpu = torch.cuda.is_available()
    if config.accelerator == "gpu" and not has_gpu:
        raise ModelError("engine.accelerator: got 'gpu', but torch finds no GPU; use engine.accelerator=cpu")
    return "cuda" if has_gpu and config.accelerator != "cpu" else "cpu"


class Transformers:
    """A loaded model, with or without an adapter."""

    def __init__(
        self,
        model: "PreTrainedModel | PeftModel",
        tokenizer: "PreTrainedTokenizerBase",
        config: TransformersEngine,
        settings: ModelConfig,
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._config, self._settings = config, settings
        self._stops = replies.stop_tokens(model.generation_config, tokenizer)
        # Removes the model's own defaults (temperature, repetition penalty, ...), which generate() would merge in.
        model.generation_config = GenerationConfig()
        self._halved = False
        self._sampling = Sampling(0.0, 1.0, settings.max_new_tokens)
        self._log_probabilities = False

    def generate(
        self,
        requests: Sequence[Request],
        answered: Collection[str] = (),
        sampling: Sampling | None = None,
        log_probabilities: bool = False,
    ) -> Iterator[Answer]:
        """Yields the answers batch by batch (`Engine.generate`). Raises ModelError if memory runs out."""
        done = set(answered)
        self._log_probabilities = log_probabilities
        self._sampling = sampling or Sampling(0.0, 1.0, self._settings.max_new_tokens)
        for batch in plan(requests, self._config.batch_tokens, self._sampling.max_new_tokens):
            if all(request.id in done for request in batch):
                continue
            yield from (answer for answer in self._fitting(batch) if answer.id not in done)

    def converse(self, requests: Sequence[Request], listener: ReplyListener) -> Iterator[Answer]:
        """Yields the answers of greedy decoding. `listener` gets the text in pieces and may end a reply early."""
        self._sampling, self._log_probabilities = Sampling(0.0, 1.0, self._settings.max_new_tokens), False
        for batch in plan(requests, self._config.batch_tokens, self._settings.max_new_tokens):
            yield from self._answers(batch, StreamingCriteria(batch, self._stops, self._tokenizer, listener))

    def _fitting(self, batch: list[Request]) -> list[Answer]:
        """Returns the answers of a batch. After the first lack of memory, this and all later batches are halved.

        Raises ModelError if half a batch, or a single prompt, does not fit into the memory either.
        """
        size = (len(batch) + 1) // 2 if self._halved else len(batch)
        parts = (batch[start : start + size] for start in range(0, len(batch), size))
        try:
            return [answer for part in parts for answer in self._answers(part)]
        except Exception as error:
            if not loading.is_out_of_memory(error):
                raise
            if self._halved or len(batch) == 1:
                raise ModelError(
                    f"out of memory with {size} prompts in a batch; lower engine.batch_tokens (now "
                    f"{self._config.batch_tokens}) or model.max_length"
                ) from error
        # Not inside the handler, where the error's traceback keeps the batch's tensors in memory.
        self._halved = True
        torch.cuda.empty_cache()
        log.warning("out of memory with %d prompts in a batch; batches are halved from now on", len(batch))
        return self._fitting(batch)

    def _answers(self, batch: list[Request], streaming: StreamingCriteria | None = None) -> list[Answer]:
        width = max(len(request.prompt_ids) for request in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, request in enumerate(batch):
            ids[row, width - len(request.prompt_ids) :] = torch.tensor(request.prompt_ids)
            mask[row, width - len(request.prompt_ids) :] = 1
        sampling = self._sampling
        sampled = sampling.temperature > 0
        drawing = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0} if sampled else {}
        settings = GenerationConfig(
            do_sample=sampled,
            **drawing,
            max_new_tokens=sampling.max_new_tokens,
            eos_token_id=self._stops,
            pad_token_id=self._stops[0],  # comes after the end token; `replies.answer` cuts it off
        )
        hooks: dict[str, object] = {}
        if streaming:
            hooks = {"streamer": streaming, "stopping_criteria": StoppingCriteriaList([streaming])}
        greedy = GreedyProbabilities() if self._log_probabilities and not sampled and not streaming else None
        if greedy:
            hooks["logits_processor"] = LogitsProcessorList([greedy])
        target = self._model.device
        own_generator = torch.random.fork_rng(enabled=sampled)
        with torch.inference_mode(), loading.cpu_threads(self._config.threads), own_generator:
            if sampled:
                torch.manual_seed(hash64(batch[0].id))
            out = self._model.generate(
                input_ids=ids.to(target), attention_mask=mask.to(target), generation_config=settings, **hooks
            )
        generated = streaming.replies if streaming else out[:, width:].tolist()
        values = greedy.rows() if greedy else [None] * len(batch)
        return [
            replies.answer(request, reply, self._stops, self._tokenizer, of_reply)
            for request, reply, of_reply in zip(batch, generated, values, strict=True)
        ]


class GreedyProbabilities(LogitsProcessor):  # type: ignore[misc]
    """Records the log probability of the token that greedy decoding chooses, in each step.

    Keeping the scores of all tokens, as `output_logits` does, would need gigabytes for a large vocabulary.
    """

    def __init__(self) -> None:
        self._steps: list[torch.Tensor] = []  # one of shape [rows] for each step

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Returns the scores, shape [rows, vocabulary], unchanged."""
        self._steps.append(scores.float().max(-1).values - scores.float().logsumexp(-1))
        return scores

    def rows(self) -> list[list[float]]:
        """Returns the log probabilities of each reply, one for each step."""
        values: list[list[float]] = torch.stack(self._steps, dim=1).tolist()
        return values


def plan(requests: Sequence[Request], batch_tokens: int, max_new_tokens: int) -> Iterator[list[Request]]:
    """Yields batches of at most `batch_tokens` tokens: padded prompts, and `max_new_tokens` for each reply.

    A request with more tokens is a batch by itself. The longest prompts come first, so that a lack of memory shows in
    the first batch.
    """
    batch: list[Request] = []
    for request in sorted(requests, key=lambda request: (-len(request.prompt_ids), request.id)):
        width = len((batch or [request])[0].prompt_ids) + max_new_tokens
        if batch and width * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch
