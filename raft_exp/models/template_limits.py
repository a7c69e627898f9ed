"""Limits the time, memory and output length of a model's chat template. A template is a program of unknown origin."""

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from raft_exp import assets
from raft_exp.core import limited
from raft_exp.models import template_child
from raft_exp.models.template_child import Chat, TemplateSample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SECONDS = 10  # limit of the CPU time for the sample chats; usual templates need a few milliseconds
MOST_ADDED = 100_000  # largest number of characters that a template may add to the messages of a chat
_LONG = "word " * 20_000  # a text as long as a prompt of many passages


def fault(tokenizer: "PreTrainedTokenizerBase") -> str:
    """Returns why a tokenizer's chat template cannot be used, e.g. "needs more than 10 s"; "" if it can be used.

    Renders sample chats in a child process, once for each template. Does not test the templates of embedded models.
    """
    try:
        template = tokenizer.get_chat_template()
    except ValueError:  # the tokenizer has several templates and no default: rendering gives the reason
        return ""
    if not isinstance(template, str) or template in _embedded():
        return ""
    tokens = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    return _fault(template, tuple(sorted(tokens.items())))


@lru_cache(maxsize=1)
def _embedded() -> frozenset[str | None]:
    files = assets.path(f"{assets.ASSET}tiny").parent.glob("*/tokenizer_config.json")
    return frozenset(json.loads(file.read_text(encoding="utf-8")).get("chat_template") for file in files)


@lru_cache(maxsize=64)
def _fault(template: str, tokens: tuple[tuple[str, str], ...]) -> str:
    sample: TemplateSample = {"template": template, "tokens": dict(tokens), "chats": [*_chats("x"), *_chats(_LONG)]}
    try:
        added = limited.ask(template_child.__name__, sample, SECONDS)
    except limited.LimitError as error:
        return f"needs {error} for a few sample chats"
    return f"adds {added:,} characters to a chat" if added > MOST_ADDED else ""


def _chats(text: str) -> list[Chat]:
    """Returns a chat of each form that prompts have: with or without a system message, and with few-shot examples."""
    system, user = {"role": "system", "content": text}, {"role": "user", "content": text}
    reply = {"role": "assistant", "content": text}
    return [[user], [system, user], [user, reply, user], [system, user, reply, user]]
