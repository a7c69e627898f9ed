"""The engine `transformers`: greedy decoding in this process, in batches padded on the left."""

import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, StoppingCriteriaList

from raft_exp.core.collection import hash64
from raft_exp.core.errors import ModelError
from raft_exp.core.records import Answer
from raft_exp.engines import Request, Sampling, TransformersEngine, replies
from raft_exp.engines.streaming import ReplyListener, StreamingCriteria
from raft_exp.models import loading as models
from raft_exp.models.loading import ModelConfig

log = logging.getLogger(__name__)


def load(config: TransformersEngine, model: ModelConfig, adapter: Path | None, room: Path) -> "Transformers":
    """Loads model, tokenizer and adapter, into memory alone. Raises ModelError with the remedy."""
    tokenizer = models.load_tokenizer(model.name_or_path, model.revision)
    loaded = models.load(model, device(config))
    if adapter is not None:
        loaded = models.with_adapter(loaded, adapter)
    return Transformers(loaded, tokenizer, config, model)


def device(config: TransformersEngine) -> str:
    """The torch device that `engine.accelerator` means here."""
    found = torch.cuda.is_available()
    if config.accelerator == "gpu" and not found:
        raise ModelError("engine.accelerator=gpu: torch finds no GPU; use engine.accelerator=cpu")
    return "cuda" if found and config.accelerator != "cpu" else "cpu"


class Transformers:
    """A loaded model. `model` may carry an adapter."""

    def __init__(self, model: Any, tokenizer: Any, config: TransformersEngine, settings: ModelConfig) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._config, self._settings = config, settings
        self._stops = replies.stop_tokens(model.generation_config, tokenizer)
        # generate() takes from here what a call leaves open: the model's own temperature, repetition penalty, ...
        model.generation_config = GenerationConfig()
        self._halved = False
        self._sampling = Sampling(0.0, 1.0, settings.max_new_tokens)

    def generate(
        self, requests: Sequence[Request], answered: Collection[str] = (), sampling: Sampling | None = None
    ) -> Iterator[Answer]:
        """As `Engine.generate`; answers come batch by batch."""
        done = set(answered)
        self._sampling = sampling or Sampling(0.0, 1.0, self._settings.max_new_tokens)
        for batch in plan(requests, self._config.batch_tokens, self._sampling.max_new_tokens):
            if all(request.id in done for request in batch):
                continue
            yield from (answer for answer in self._fitting(batch) if answer.id not in done)

    def converse(self, requests: Sequence[Request], listener: ReplyListener) -> Iterator[Answer]:
        """As `generate`, with somebody who reads along while the replies are written, and may end them."""
        for batch in plan(requests, self._config.batch_tokens, self._settings.max_new_tokens):
            yield from self._answers(batch, StreamingCriteria(batch, self._stops, self._tokenizer, listener))

    def _fitting(self, batch: list[Request]) -> list[Answer]:
        """Answers a batch; if it is too large for the memory, in two halves, once and for all that come."""
        size = (len(batch) + 1) // 2 if self._halved else len(batch)
        parts = (batch[start : start + size] for start in range(0, len(batch), size))
        try:
            return [answer for part in parts for answer in self._answers(part)]
        except Exception as error:
            if not models.is_out_of_memory(error):
                raise
            if self._halved or len(batch) == 1:
                raise ModelError(
                    f"out of memory while answering {size} prompts at once; lower engine.batch_tokens (now "
                    f"{self._config.batch_tokens}), or model.max_length"
                ) from error
        # Outside the handler: inside, the error's traceback would hold on to the batch's tensors.
        self._halved = True
        torch.cuda.empty_cache()
        log.warning("out of memory with %d prompts in a batch: going on with half as many", len(batch))
        return self._fitting(batch)

    def _answers(self, batch: list[Request], watch: StreamingCriteria | None = None) -> list[Answer]:
        width = max(len(request.prompt_ids) for request in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for line, request in enumerate(batch):
            ids[line, width - len(request.prompt_ids) :] = torch.tensor(request.prompt_ids)
            mask[line, width - len(request.prompt_ids) :] = 1
        how = self._sampling
        drawn = {"temperature": how.temperature, "top_p": how.top_p, "top_k": 0} if how.temperature else {}
        settings = GenerationConfig(
            do_sample=bool(drawn),
            **drawn,
            max_new_tokens=how.max_new_tokens,
            eos_token_id=self._stops,
            pad_token_id=self._stops[0],  # behind the end; cut off below
        )
        watched = {"streamer": watch, "stopping_criteria": StoppingCriteriaList([watch])} if watch else {}
        place = self._model.device
        seeded = torch.random.fork_rng(enabled=bool(drawn))
        with torch.inference_mode(), models.cpu_threads(self._config.threads), seeded:
            if drawn:
                torch.manual_seed(hash64(batch[0].id))
            out = self._model.generate(
                input_ids=ids.to(place), attention_mask=mask.to(place), generation_config=settings, **watched
            )
        written = watch.replies if watch else out[:, width:].tolist()
        ends, tokenizer = self._stops, self._tokenizer
        return [replies.answer(request, reply, ends, tokenizer) for request, reply in zip(batch, written, strict=True)]


def plan(requests: Sequence[Request], batch_tokens: int, max_new_tokens: int) -> Iterator[list[Request]]:
    """Batches of at most `batch_tokens` tokens (or one request), the longest first: too little memory shows at once."""
    batch: list[Request] = []
    for request in sorted(requests, key=lambda request: (-len(request.prompt_ids), request.id)):
        width = len((batch or [request])[0].prompt_ids) + max_new_tokens
        if batch and width * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch
