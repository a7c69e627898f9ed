"""Worked examples before a question: earlier turns of the chat, or a part of its message where it has no turns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raft_exp.core.errors import ModelError
from raft_exp.core.records import Example, Messages
from raft_exp.models.tokens import chat_text, encode_prompt
from raft_exp.prompts import PromptConfig, messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TURNS = ("FIRST QUESTION", "FIRST REPLY", "SECOND QUESTION")


@dataclass(frozen=True)
class WorkedExample:
    """A user message, rendered as that of a test question, with the reply that it should get."""

    user: str
    reply: str


def as_example(prompt: PromptConfig, mode: str, cot: bool, row: Example) -> WorkedExample:
    """A row (question, passages, target) as an example, with its question rendered as that of a test."""
    return WorkedExample(messages(prompt, mode, row.question, row.context, cot)[-1]["content"], row.target)


def with_examples(prompt: Messages, examples: Sequence[WorkedExample], as_turns: bool) -> Messages:
    """The messages of a prompt with the examples before its user message, which is the last one.

    `as_turns`: each example is a user and an assistant message. Otherwise all of them stand in the user message, each
    with its reply on the next line and an empty line after it.
    """
    if not examples:
        return prompt
    *system, user = prompt
    if as_turns:
        turns = [
            {"role": role, "content": text}
            for example in examples
            for role, text in (("user", example.user), ("assistant", example.reply))
        ]
        return [*system, *turns, user]
    shown = [f"{example.user}\n{example.reply}" for example in examples]
    return [*system, {"role": "user", "content": "\n\n".join([*shown, user["content"]])}]


def takes_turns(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether a prompt may hold earlier turns: the tokenizer's chat template accepts and shows them."""
    if not tokenizer.chat_template:
        return False
    roles = ("user", "assistant", "user")
    try:
        text = chat_text(tokenizer, [{"role": role, "content": turn} for role, turn in zip(roles, _TURNS, strict=True)])
    except ModelError:
        return False
    places = [text.find(turn) for turn in _TURNS]
    return places == sorted(places) and places[0] >= 0


class FewShot:
    """Adds to each prompt as many of the examples, the first ones, as fit beside it. No passage is cut for them.

    Without a tokenizer (a server has its own) all examples are earlier turns, and none is left out.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase | None", budget: int) -> None:
        self._tokenizer, self._budget = tokenizer, budget  # of tokens for a prompt
        self._as_turns = tokenizer is None or takes_turns(tokenizer)

    def fitted(self, prompt: Messages, examples: Sequence[WorkedExample]) -> tuple[Messages, int]:
        """The prompt with the examples that fit, and their number: 0 also where the prompt alone is too long."""
        for count in range(len(examples), 0, -1):
            messages = with_examples(prompt, examples[:count], self._as_turns)
            if self._tokenizer is None or self.size(messages) <= self._budget:
                return messages, count
        return prompt, 0

    def length(self, prompt: Messages, example: WorkedExample) -> int:
        """The tokens that an example adds to a prompt."""
        return self.size(with_examples(prompt, [example], self._as_turns)) - self.size(prompt)

    def size(self, messages: Messages) -> int:
        """The tokens of a prompt."""
        assert self._tokenizer is not None, "tokens are counted with a tokenizer"
        return len(encode_prompt(self._tokenizer, messages))
