"""Makes a prompt fit the model: distractors are shortened before gold, and the reply's room is never touched."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from raft_exp.errors import DataError
from raft_exp.prompts import Messages
from raft_exp.prompts.tokens import encode_prompt
from raft_exp.records import ContextPassage

Render = Callable[[Sequence[ContextPassage]], Messages]


def fit(
    tokenizer: Any, render: Render, context: Sequence[ContextPassage], budget: int, item: str
) -> list[ContextPassage]:
    """Returns the context, shortened so that the rendered prompt has at most `budget` tokens.

    The longest distractors are cut first, all to one length; gold passages only when the distractors are gone.
    Raises DataError when even an empty context does not fit. `item` names the row in that error.
    """

    def size(passages: Sequence[ContextPassage]) -> int:
        return len(encode_prompt(tokenizer, render(passages)))

    if size(context) <= budget:
        return list(context)
    for gold in (False, True):
        longest = max((len(passage.text) for passage in context if passage.gold == gold), default=0)
        if size(_cut(context, gold, 0)) <= budget:
            return _cut(context, gold, _largest(lambda cap, gold=gold: size(_cut(context, gold, cap)) <= budget, longest))
        context = _cut(context, gold, 0)
    raise DataError(
        f"{item}: question and instructions alone need {size(context)} tokens and {budget} are left for the prompt; "
        "raise model.max_length, or lower model.max_new_tokens"
    )


def _largest(fits: Callable[[int], bool], high: int) -> int:
    """The largest cap in 0..high that fits, by bisection; 0 is known to fit."""
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _cut(context: Sequence[ContextPassage], gold: bool, cap: int) -> list[ContextPassage]:
    return [
        dataclasses.replace(passage, text=_shorten(passage.text, cap)) if passage.gold == gold else passage
        for passage in context
    ]


def _shorten(text: str, cap: int) -> str:
    """At most `cap` characters, back to the last white space so that no word is torn (a text without any is)."""
    if len(text) <= cap:
        return text
    head = text[: cap + 1]
    at_space = max(head.rfind(" "), head.rfind("\n"))
    return text[: at_space if at_space > 0 else cap].rstrip()
