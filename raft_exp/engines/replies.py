"""What engines with the weights at hand share: where a reply ends, and what its token ids say."""

from collections.abc import Sequence
from typing import Any

from raft_exp.core.records import Answer
from raft_exp.engines import Request
from raft_exp.models import tokens


def stop_tokens(generation_config: Any, tokenizer: Any) -> list[int]:
    """The end token that training teaches, and those that the model itself was trained to stop at."""
    own = getattr(generation_config, "eos_token_id", None)
    own = own if isinstance(own, list) else [] if own is None else [own]
    return list(dict.fromkeys([tokens.end_token_id(tokenizer), *own]))


def answer(request: Request, reply: Sequence[int], stops: Sequence[int], tokenizer: Any) -> Answer:
    """The reply up to its first end token; without one it was cut off."""
    end = next((place for place, token in enumerate(reply) if token in stops), None)
    return Answer(
        id=request.id,
        raw=tokenizer.decode(list(reply[:end]), skip_special_tokens=True),
        truncated=end is None,
        prompt_tokens=len(request.prompt_ids),
        new_tokens=len(reply) if end is None else end + 1,
    )
