"""Shortens the passages of a prompt that is too long: all of them alike, without a look at which of them are gold.

In use nobody knows the gold passages. A rule that spared them would raise every figure of an arm with passages, and
would leave the longest passage as a mark of the gold. So `fit` receives texts alone.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from raft_exp.core.errors import DataError
from raft_exp.core.records import Messages
from raft_exp.models.tokens import encode_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Render = Callable[[Sequence[str]], Messages]  # the prompt with these texts of its passages, in their order

_LONGEST_WORD = 40  # characters; longer stretches without white space (Chinese, tables) are cut anywhere


def fit(
    tokenizer: "PreTrainedTokenizerBase", renders: Sequence[Render], texts: Sequence[str], budget: int, item: str
) -> list[str]:
    """The texts of the passages, shortened so that the prompt has at most `budget` tokens in every one of `renders`.

    Texts that are longer than a common cap in characters are cut to it; the cap is the largest that fits.
    Raises DataError, with the row's name `item`, when even empty passages do not fit.
    """

    def size(cap: int) -> int:
        shortened = _cut(texts, cap)
        return max(len(encode_prompt(tokenizer, render(shortened))) for render in renders)

    longest = max(map(len, texts), default=0)
    if size(longest) <= budget:
        return list(texts)
    if (least := size(0)) > budget:
        raise DataError(
            f"{item}: the prompt has {least} tokens without any text of passages, and {budget} are left for it "
            f"(model.max_length without the reply); raise model.max_length by {least - budget} or more, or lower "
            "model.max_new_tokens where replies are shorter"
        )
    too_long = bisect_left(range(longest), True, key=lambda cap: size(cap) > budget)
    return _cut(texts, too_long - 1)


def _cut(texts: Sequence[str], cap: int) -> list[str]:
    return [_shorten(text, cap) for text in texts]


def _shorten(text: str, cap: int) -> str:
    """The first `cap` characters, cut at the last white space among them unless a very long word would be lost."""
    if len(text) <= cap:
        return text
    head = text[: cap + 1]
    at_space = max(head.rfind(" "), head.rfind("\n"))
    return text[: at_space if at_space > 0 and cap - at_space <= _LONGEST_WORD else cap].rstrip()
