"""Makes a prompt fit the model: distractors are shortened before gold, and the reply's room is never touched."""

import dataclasses
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from raft_exp.core.errors import DataError
from raft_exp.core.records import ContextPassage, Messages
from raft_exp.models.tokens import encode_prompt

Render = Callable[[Sequence[ContextPassage]], Messages]


def fit(
    tokenizer: Any, renders: Sequence[Render], context: Sequence[ContextPassage], budget: int, item: str
) -> list[ContextPassage]:
    """Returns the context, shortened so that the prompt, in every rendering, has at most `budget` tokens.

    The longest distractors are cut first, all to one length; gold passages only when the distractors are gone.
    Raises DataError when even an empty context does not fit. `item` names the row in that error.
    """

    def size(passages: Sequence[ContextPassage]) -> int:
        return max(len(encode_prompt(tokenizer, render(passages))) for render in renders)

    if size(context) <= budget:
        return list(context)
    for gold in (False, True):
        gone = _cut(context, gold, 0)
        if size(gone) <= budget:
            return _cut(context, gold, _largest_cap(size, context, gold, budget))
        context = gone
    raise DataError(
        f"{item}: question and instructions alone need {size(context)} tokens and {budget} are left for the prompt; "
        "raise model.max_length, or lower model.max_new_tokens"
    )


def _largest_cap(
    size: Callable[[Sequence[ContextPassage]], int], context: Sequence[ContextPassage], gold: bool, budget: int
) -> int:
    """The most characters a passage of this kind may keep; 0 is known to fit, all of them not to."""
    longest = max(len(passage.text) for passage in context if passage.gold == gold)
    too_long = bisect_left(range(longest), True, key=lambda cap: size(_cut(context, gold, cap)) > budget)
    return too_long - 1


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
