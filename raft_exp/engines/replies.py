"""Functions of the engines `transformers` and `vllm`: the end tokens of replies, and answers from token ids."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raft_exp.core.records import Answer
from raft_exp.engines import Request
from raft_exp.models import tokens

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedTokenizerBase


def stop_tokens(generation_config: "GenerationConfig | None", tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Returns the ids of all end tokens: first the training targets' end token, then those of the model's config."""
    own = getattr(generation_config, "eos_token_id", None)
    own = own if isinstance(own, list) else [] if own is None else [own]
    return list(dict.fromkeys([tokens.end_token_id(tokenizer), *own]))


def answer(
    request: Request,
    reply: Sequence[int],
    stops: Sequence[int],
    tokenizer: "PreTrainedTokenizerBase",
    log_probabilities: Sequence[float] | None = None,
) -> Answer:
    """Returns the answer for a reply (token ids) up to its first end token in `stops`.

    A reply without an end token is marked as truncated. `log_probabilities`: one for each token of `reply`;
    None if they were not requested.
    """
    end = next((place for place, token in enumerate(reply) if token in stops), None)
    new_tokens = len(reply) if end is None else end + 1
    return Answer(
        id=request.id,
        raw=tokenizer.decode(list(reply[:end]), skip_special_tokens=True),
        truncated=end is None,
        prompt_tokens=len(request.prompt_ids),
        new_tokens=new_tokens,
        log_probability=_mean(log_probabilities[:new_tokens]) if log_probabilities else None,
    )


def _mean(values: Sequence[float]) -> float:
    """Returns the mean, rounded: the last digits of sums differ between machines."""
    return round(sum(values) / len(values), 6)
