"""The context of a row in the prompt, compared with the context before it was shortened to the model's length."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raft_exp.core.records import ContextPassage, Question
from raft_exp.dataset.evidence import holds_words


@dataclass(frozen=True)
class ShownContext:
    """The passages of a row before (`whole`) and after (`shown`) shortening.

    A shown passage is gold only if its shown text still contains the evidence.
    """

    whole: list[ContextPassage]
    shown: list[ContextPassage]

    @property
    def cut(self) -> list[bool]:
        """For each passage, whether it was shortened."""
        return [old.text != new.text for old, new in zip(self.whole, self.shown, strict=True)]

    @property
    def text_left(self) -> float:
        """The share of the characters that the prompt shows (0 to 1)."""
        before, after = (sum(len(passage.text) for passage in of) for of in (self.whole, self.shown))
        return after / before if before else 1.0

    def lost(self, quotes: Iterable[str]) -> bool:
        """Whether at least one of the quotes was in a passage before shortening, and is in no passage afterwards."""
        return any(self.cut) and any(_stands(quote, self.whole) and not _stands(quote, self.shown) for quote in quotes)


def _stands(quote: str, context: Sequence[ContextPassage]) -> bool:
    return any(holds_words(passage.text, quote) for passage in context)


def holds_gold(question: Question, context: Sequence[ContextPassage]) -> bool:
    """Whether the context contains all gold passages of the question, at least one of them with text."""
    texts = {passage.id: passage.text for passage in context if passage.gold}
    return not question.gold_missing and set(question.gold) <= set(texts) and any(texts.values())


def gold_passages(question: Question, context: Sequence[ContextPassage]) -> int:
    """Returns the number of the question's gold passages in a context.

    Of gold passages that the dataset names only by title, each document counts once, because the collection may have
    several versions of a document, which come from different questions.
    """
    gold = [passage for passage in context if passage.gold]
    named = {passage.id for passage in gold if passage.id in question.gold}
    return len(named) + len({passage.document_id for passage in gold if passage.id not in question.gold})
