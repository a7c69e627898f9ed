"""Builds the prompts of an arm, for test questions and for new questions to a finished run."""

from collections.abc import Sequence

from raft_exp import prompts
from raft_exp.core.records import ContextPassage, Example, Messages
from raft_exp.models.loading import ModelConfig, tokenizer_of
from raft_exp.prompts import PromptConfig
from raft_exp.prompts.few_shot import FewShot, WorkedExample, as_example


class ArmPrompts:
    """Builds the prompts of an arm.

    `examples`: the rows that each prompt shows as worked examples (few-shot). `model`: the model whose tokenizer counts
    the tokens of a prompt; examples that do not fit are left out. If `model` is None (a model behind a server), all
    examples are used.
    """

    def __init__(
        self, prompt: PromptConfig, mode: str, cot: bool, model: ModelConfig | None, examples: Sequence[Example] = ()
    ) -> None:
        self._prompt, self._mode, self._cot = prompt, mode, cot
        self.examples: list[WorkedExample] = [as_example(prompt, mode, cot, row) for row in examples]
        tokenizer = tokenizer_of(model) if model else None
        self._few_shot = FewShot(tokenizer, model.max_length - model.max_new_tokens if model else 0)

    def __call__(self, question: str, context: Sequence[ContextPassage] | None) -> tuple[Messages, int]:
        """Returns the chat messages for a question, and the number of worked examples in them.

        `context`: None for an arm without passages.
        """
        messages = prompts.messages(self._prompt, self._mode, question, context, self._cot)
        return self._few_shot.fitted(messages, self.examples)
