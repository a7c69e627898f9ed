"""The context of a row as the prompt shows it, against the context before it was cut to the model's length."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raft_exp.core.records import ContextPassage, Question
from raft_exp.dataset.evidence import holds_words


@dataclass(frozen=True)
class ShownContext:
    """The passages of a row before and after the cut. `gold` of a shown passage is about the text that is shown."""

    whole: list[ContextPassage]
    shown: list[ContextPassage]

    @property
    def cut(self) -> list[bool]:
        """Whether each passage was shortened."""
        return [old.text != new.text for old, new in zip(self.whole, self.shown, strict=True)]

    @property
    def text_left(self) -> float:
        """The share of the characters that is shown."""
        before, after = (sum(len(passage.text) for passage in of) for of in (self.whole, self.shown))
        return after / before if before else 1.0

    def lost(self, quotes: Iterable[str]) -> bool:
        """Whether the cut removed one of the quotes that stood in a passage before it."""
        return any(self.cut) and any(_stands(quote, self.whole) and not _stands(quote, self.shown) for quote in quotes)


def _stands(quote: str, context: Sequence[ContextPassage]) -> bool:
    return any(holds_words(passage.text, quote) for passage in context)


def holds_gold(question: Question, context: Sequence[ContextPassage]) -> bool:
    """Whether all gold passages of the question stand in the context, with text in one of them at least."""
    texts = {passage.id: passage.text for passage in context if passage.gold}
    return not question.gold_missing and set(question.gold) <= set(texts) and any(texts.values())


def gold_passages(question: Question, context: Sequence[ContextPassage]) -> int:
    """The number of the question's gold passages in a context. Those that the data set names by title count once a
    document: other questions may have brought several versions of it.
    """
    gold = [passage for passage in context if passage.gold]
    named = {passage.id for passage in gold if passage.id in question.gold}
    return len(named) + len({passage.document_id for passage in gold if passage.id not in question.gold})
