"""Shortens all passages of a prompt that is too long. One rule applies to gold passages and distractors.

In real use the gold passages are unknown. A rule that did not cut them would raise the scores of all arms with
passages, and the longest passage would reveal the gold. Therefore `fit` receives texts without gold flags.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from raft_exp.core.errors import DataError
from raft_exp.core.records import Messages
from raft_exp.models.tokens import encode_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Render = Callable[[Sequence[str]], Messages]  # texts of the passages, in their order -> messages of the prompt

_LONGEST_WORD = 40  # characters; longer stretches without white space (Chinese, tables) are cut anywhere


def fit(
    tokenizer: "PreTrainedTokenizerBase", renders: Sequence[Render], texts: Sequence[str], budget: int, item: str
) -> list[str]:
    """Returns the texts of the passages, shortened so that each prompt has at most `budget` tokens.

    All texts are cut to one maximum number of characters: the largest with which all prompts fit. `renders`: functions
    that each make a prompt from the texts. `item`: name of the row in the error message. Raises DataError if a prompt
    does not fit even with empty passages.
    """

    def size(cap: int) -> int:
        shortened = _cut(texts, cap)
        return max(len(encode_prompt(tokenizer, render(shortened))) for render in renders)

    longest = max(map(len, texts), default=0)
    if size(longest) <= budget:
        return list(texts)
    if (least := size(0)) > budget:
        raise DataError(
            f"{item}: the prompt has {least} tokens without any text of passages, but only {budget} fit "
            f"(model.max_length minus the reply); raise model.max_length by {least - budget} or more, or lower "
            "model.max_new_tokens if replies are shorter"
        )
    too_long = bisect_left(range(longest), True, key=lambda cap: size(cap) > budget)
    return _cut(texts, too_long - 1)


def _cut(texts: Sequence[str], cap: int) -> list[str]:
    return [_shorten(text, cap) for text in texts]


def _shorten(text: str, cap: int) -> str:
    """Returns the first `cap` characters of a text, cut at white space.

    Where the last word is longer than `_LONGEST_WORD` characters, the cut is within the word.
    """
    if len(text) <= cap:
        return text
    head = text[: cap + 1]
    at_space = max(head.rfind(" "), head.rfind("\n"))
    return text[: at_space if at_space > 0 and cap - at_space <= _LONGEST_WORD else cap].rstrip()
