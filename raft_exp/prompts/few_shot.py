"""Few-shot prompts: worked examples before a question, as earlier turns of the chat or within the user message."""

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
    """A user message in the form of a test prompt, with its correct reply."""

    user: str
    reply: str


def as_example(prompt: PromptConfig, mode: str, cot: bool, row: Example) -> WorkedExample:
    """Renders a row (question, passages, target) as a worked example in the form of a test prompt.

    `mode`: name of the prompt mode. `cot`: whether the prompt requests reasoning before the answer.
    """
    return WorkedExample(messages(prompt, mode, row.question, row.context, cot)[-1]["content"], row.target)


def with_examples(prompt: Messages, examples: Sequence[WorkedExample], as_turns: bool) -> Messages:
    """Returns the messages of a prompt with worked examples before its question.

    `prompt`: messages of which the last is the user message. `as_turns`: each example is a user message and an
    assistant message. Otherwise the examples are part of the user message, each with its reply on the next line and an
    empty line after it.
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
    """Whether the tokenizer's chat template accepts several turns and renders all of them in order."""
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
    """Adds to each prompt as many worked examples as fit, in their order. No passage is cut to make room.

    `budget`: maximum number of tokens of a prompt. `tokenizer`: None for a model behind a server; then all examples are
    added, as earlier turns.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase | None", budget: int) -> None:
        self._tokenizer, self._budget = tokenizer, budget
        self._as_turns = tokenizer is None or takes_turns(tokenizer)

    def fitted(self, prompt: Messages, examples: Sequence[WorkedExample]) -> tuple[Messages, int]:
        """Returns (prompt with the examples that fit, number of these examples); (`prompt`, 0) if none fits."""
        for count in range(len(examples), 0, -1):
            messages = with_examples(prompt, examples[:count], self._as_turns)
            if self._tokenizer is None or self.size(messages) <= self._budget:
                return messages, count
        return prompt, 0

    def length(self, prompt: Messages, example: WorkedExample) -> int:
        """Returns the number of tokens that an example adds to a prompt. Needs a tokenizer."""
        return self.size(with_examples(prompt, [example], self._as_turns)) - self.size(prompt)

    def size(self, messages: Messages) -> int:
        """Returns the number of tokens of a prompt. Needs a tokenizer."""
        assert self._tokenizer is not None, "tokens are counted with a tokenizer"
        return len(encode_prompt(self._tokenizer, messages))
