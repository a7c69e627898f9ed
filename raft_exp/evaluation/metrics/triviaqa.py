"""Compares replies with aliases as TriviaQA's evaluation script does."""

from collections.abc import Sequence
from dataclasses import dataclass

from raft_exp.core import triviaqa


@dataclass(frozen=True)
class TriviaQA:
    """The published normalisation of TriviaQA (`core.triviaqa`). In its F1, yes and no are ordinary words."""

    name: str = "as published for TriviaQA"
    never_partly_right: tuple[str, ...] = ()

    def __call__(self, text: str) -> str:
        """Returns a text in lower case, without punctuation and articles."""
        return triviaqa.normalize(text)

    def holds(self, text: str, answers: Sequence[str]) -> bool:
        """Whether the normalised text contains any of the normalised answers, as whole words."""
        words = f" {self(text)} "
        return any(f" {answer} " in words for answer in map(self, answers) if answer)

    def length(self, text: str) -> int:
        """Returns the number of words, split at white space."""
        return len(text.split())

    def tokens(self, text: str) -> None:
        """Returns None, so that rouge-score uses its own tokenizer (Latin letters and digits)."""
