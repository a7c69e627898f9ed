"""The drift of an exported model from the evaluated model: differences of logits on replies to test prompts."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from raft_exp.core.records import Answer, Example, Messages, read_jsonl
from raft_exp.evaluation.asking import ArmPrompts
from raft_exp.models.tokens import encode_completion, encode_prompt
from raft_exp.pipeline.run import FinishedRun

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_POSITIONS = 16  # tokens of each reply that are compared


@dataclass(frozen=True)
class DriftSample:
    """A test prompt and the beginning of the arm's reply, as token ids."""

    messages: Messages
    prompt: list[int]
    reply: list[int]


@dataclass(frozen=True)
class Drift:
    """The differences between the logits of two models, over all compared positions."""

    prompts: int
    positions: int
    largest: float  # absolute difference of a logit
    relative: float  # norm of the differences / norm of the centred logits, the largest of all prompts
    same_token: float  # share of positions with the same best token

    def __str__(self) -> str:
        return (
            f"{self.relative:.2g} of the logits' norm at most (largest difference {self.largest:.2g}; "
            f"{self.same_token:.1%} of {self.positions:,} positions have the same best token)"
        )


def samples_of(run: FinishedRun, name: str, tokenizer: "PreTrainedTokenizerBase", count: int) -> list[DriftSample]:
    """Returns the first `count` test prompts of the arm `name`, as rendered in its evaluation, with its replies.

    Each reply is cut to its first tokens (`_POSITIONS`).
    """
    config, arm = run.config, run.config.arms[name]
    replies = {answer.id: answer.raw for answer in read_jsonl(run.path(f"evaluate[{name}]") / "answers.jsonl", Answer)}

    asked = ArmPrompts(run.prompt(name), config.dataset.prompt_mode, arm.cot, config.model, run.examples(name))

    def prompt(row: Example) -> DriftSample:
        context = row.context if arm.shows_passages else None
        chat, _ = asked(row.question, context)
        reply = encode_completion(tokenizer, replies[row.id])[:_POSITIONS]
        return DriftSample(chat, encode_prompt(tokenizer, chat), reply)

    test = "dataset[test_gold]" if arm.context == "gold" else "dataset[test]"
    rows = read_jsonl(run.path(test) / "rows.jsonl", Example)
    return [prompt(row) for row in islice(rows, count)]


def logits(model: "PreTrainedModel | PeftModel", samples: Sequence[DriftSample]) -> "list[Tensor]":
    """Returns for each sample the logits of its reply tokens: shape (tokens, vocabulary), float32."""
    return list(_logits(model, samples))


def _logits(model: "PreTrainedModel | PeftModel", samples: Sequence[DriftSample]) -> "Iterator[Tensor]":
    import torch

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    can_limit = "logits_to_keep" in inspect.signature(inner.forward).parameters
    for sample in samples:
        ids = torch.tensor([sample.prompt + sample.reply[:-1]])
        limit = {"logits_to_keep": len(sample.reply)} if can_limit else {}
        with torch.inference_mode():
            output = model(input_ids=ids.to(model.device), **limit).logits
        yield output[0, -len(sample.reply) :].float().cpu()


def compare(before: "Sequence[Tensor]", after: "Sequence[Tensor]") -> Drift:
    """Returns the drift from the logits `before` to the logits `after`: infinite if `after` has NaN or infinity."""
    import torch

    pairs = list(zip(before, after, strict=True))
    relative = max(float((new - old).norm() / (old - old.mean(-1, keepdim=True)).norm()) for old, new in pairs)
    largest = max(float((new - old).abs().max()) for old, new in pairs)
    same = torch.cat([old.argmax(-1) == new.argmax(-1) for old, new in pairs])
    finite = all(bool(torch.isfinite(new).all()) for _, new in pairs)
    return Drift(
        len(pairs),
        len(same),
        largest if finite else float("inf"),
        relative if finite else float("inf"),
        float(same.float().mean()),
    )
