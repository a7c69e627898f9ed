"""The prompts of an arm: of its questions at test, and of new questions that a finished run is asked."""

from collections.abc import Sequence

from raft_exp import prompts
from raft_exp.core.records import ContextPassage, Example, Messages
from raft_exp.models.loading import ModelConfig, tokenizer_of
from raft_exp.prompts import PromptConfig
from raft_exp.prompts.few_shot import FewShot, WorkedExample, as_example


class ArmPrompts:
    """Makes the prompts of an arm. `model`: None for a server, whose prompts are not counted in tokens."""

    def __init__(
        self, prompt: PromptConfig, mode: str, cot: bool, model: ModelConfig | None, examples: Sequence[Example] = ()
    ) -> None:
        self._prompt, self._mode, self._cot = prompt, mode, cot
        self.examples: list[WorkedExample] = [as_example(prompt, mode, cot, row) for row in examples]
        tokenizer = tokenizer_of(model) if model else None
        self._few_shot = FewShot(tokenizer, model.max_length - model.max_new_tokens if model else 0)

    def __call__(self, question: str, context: Sequence[ContextPassage] | None) -> tuple[Messages, int]:
        """The messages of a question, and the number of worked examples among them."""
        messages = prompts.messages(self._prompt, self._mode, question, context, self._cot)
        return self._few_shot.fitted(messages, self.examples)
