"""Shortens the passages of a prompt that is too long: distractors first, then gold passages."""

import dataclasses
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from raft_exp.core.errors import DataError
from raft_exp.core.records import ContextPassage, Messages
from raft_exp.models.tokens import encode_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Render = Callable[[Sequence[ContextPassage]], Messages]


def fit(
    tokenizer: "PreTrainedTokenizerBase",
    renders: Sequence[Render],
    context: Sequence[ContextPassage],
    budget: int,
    item: str,
) -> list[ContextPassage]:
    """The context, shortened so that the prompt has at most `budget` tokens in every one of `renders`.

    Distractors are cut to one common length in characters; gold passages are cut only once the distractors are empty.
    Raises DataError, with the row's name `item`, when even empty passages do not fit.
    """

    def size(passages: Sequence[ContextPassage]) -> int:
        return max(len(encode_prompt(tokenizer, render(passages))) for render in renders)

    if size(context) <= budget:
        return list(context)
    for gold in (False, True):
        emptied = _cut(context, gold, 0)
        if size(emptied) <= budget:
            return _cut(context, gold, _largest_cap(size, context, gold, budget))
        context = emptied
    raise DataError(
        f"{item}: question and instructions alone need {size(context)} tokens and {budget} are left for the prompt; "
        "raise model.max_length, or lower model.max_new_tokens"
    )


def _largest_cap(
    size: Callable[[Sequence[ContextPassage]], int], context: Sequence[ContextPassage], gold: bool, budget: int
) -> int:
    """The largest length in characters at which the prompt fits; length 0 fits, the full length does not."""
    longest = max(len(passage.text) for passage in context if passage.gold == gold)
    too_long = bisect_left(range(longest), True, key=lambda cap: size(_cut(context, gold, cap)) > budget)
    return too_long - 1


def _cut(context: Sequence[ContextPassage], gold: bool, cap: int) -> list[ContextPassage]:
    return [
        dataclasses.replace(passage, text=_shorten(passage.text, cap)) if passage.gold == gold else passage
        for passage in context
    ]


def _shorten(text: str, cap: int) -> str:
    """The first `cap` characters, cut at the last white space among them where there is one."""
    if len(text) <= cap:
        return text
    head = text[: cap + 1]
    at_space = max(head.rfind(" "), head.rfind("\n"))
    return text[: at_space if at_space > 0 else cap].rstrip()
