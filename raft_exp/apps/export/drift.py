"""How far an exported model is from what was measured: the logits of replies to real test prompts."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from raft_exp import prompts
from raft_exp.core.records import Answer, Example, Messages, read_jsonl
from raft_exp.models.tokens import encode_completion, encode_prompt
from raft_exp.pipeline.run import FinishedRun

_POSITIONS = 16  # tokens of each reply


@dataclass(frozen=True)
class DriftSample:
    """A test prompt with the beginning of the arm's reply to it, as token ids."""

    messages: Messages
    prompt: list[int]
    reply: list[int]


@dataclass(frozen=True)
class Drift:
    """Over all positions: `relative` is the largest of any prompt, |difference| / |logits| (norms)."""

    prompts: int
    positions: int
    largest: float  # of any logit
    relative: float
    same_token: float  # share of positions with the same best token

    def __str__(self) -> str:
        return (
            f"{self.relative:.2g} of the logits' norm at most (largest difference {self.largest:.2g}; "
            f"{self.same_token:.1%} of {self.positions:,} positions have the same best token)"
        )


def asked(run: FinishedRun, name: str, tokenizer: Any, most: int) -> list[DriftSample]:
    """The first test prompts of an arm, as its evaluation rendered them, with its replies."""
    config, arm = run.config, run.config.arms[name]
    replies = {one.id: one.raw for one in read_jsonl(run.path(f"evaluate[{name}]") / "answers.jsonl", Answer)}

    def prompt(row: Example) -> DriftSample:
        context = row.context if arm.context == "passages" else None
        chat = prompts.messages(config.prompt, config.dataset.prompt_mode, row.question, context, arm.cot)
        reply = encode_completion(tokenizer, replies[row.id])[:_POSITIONS]
        return DriftSample(chat, encode_prompt(tokenizer, chat), reply)

    rows = read_jsonl(run.path("dataset[test]") / "rows.jsonl", Example)
    return [prompt(row) for row in islice(rows, most)]


def logits(model: Any, texts: Sequence[DriftSample]) -> list[Any]:
    """For each text a tensor (reply tokens, vocabulary), float32: the logits of each token."""
    return list(_logits(model, texts))


def _logits(model: Any, texts: Sequence[DriftSample]) -> Iterator[Any]:
    import torch

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    sparing = "logits_to_keep" in inspect.signature(inner.forward).parameters
    for text in texts:
        ids = torch.tensor([text.prompt + text.reply[:-1]])
        kept: dict[str, Any] = {"logits_to_keep": len(text.reply)} if sparing else {}
        with torch.inference_mode():
            found = model(input_ids=ids.to(model.device), **kept).logits
        yield found[0, -len(text.reply) :].float().cpu()


def compare(before: Sequence[Any], after: Sequence[Any]) -> Drift:
    """The drift from `before` to `after`; not a number anywhere makes it infinite."""
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
