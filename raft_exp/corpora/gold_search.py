"""Finds the gold passages and the quotes of each row in a file of questions."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from raft_exp.core.collection import Passages
from raft_exp.corpora.answer_search import AnswerSearches
from raft_exp.corpora.gold import FoundGold, GoldFinder
from raft_exp.corpora.quoted import Place, closest_quotes
from raft_exp.retrieval.likeness import Likeness


@dataclass(frozen=True)
class Hints:
    """The gold passages that a row names (`named`), or the passages of each document that a row names (`documents`).

    A row that names neither is in FlashRAG's layout. Its gold is searched among the passages `retrieved`, or in the
    whole collection if `retrieved` is None.
    """

    named: list[int]
    documents: list[list[int]] = field(default_factory=list)
    retrieved: list[int] | None = None


class GoldSearch:
    """Finds the gold and the quotes of each row, and caches them, because the file is read several times."""

    def __init__(self, collection: Passages, most: int, likeness: Likeness) -> None:
        self.finder = GoldFinder(collection, most, likeness)
        self._collection, self._likeness, self._searches = collection, likeness, AnswerSearches(collection)
        self._found: dict[str, tuple[FoundGold, list[Place], bool]] = {}  # by the place of the row

    def __call__(
        self, place: str, question: str, answers: list[str], hints: Hints, with_quotes: bool
    ) -> tuple[FoundGold, list[Place], bool]:
        """Returns (gold, sentences to quote, whether one of these sentences contains an answer).

        Without `with_quotes` there are no sentences.
        """
        if place not in self._found:
            if hints.named:
                gold = self.finder.named(question, answers, hints.named)
            elif hints.documents:
                gold = self.finder.find(place, question, answers, hints.documents)
            else:
                gold = self._searched(question, answers, hints.retrieved)
            passages = ((self._collection[at], text) for at, text in (gold.quotes if with_quotes else ()))
            quotes, holds = closest_quotes(passages, answers, self._collection.form, self._likeness.sentences)
            self._found[place] = replace(gold, quotes=[]), quotes, holds  # without texts, as all rows are held
        return self._found[place]

    def _searched(self, question: str, answers: Sequence[str], retrieved: list[int] | None) -> FoundGold:
        if retrieved is None:
            gold = self._searches.in_collection(question, answers)
        else:
            gold = self._searches.among(answers, retrieved)
        wanted = f"{question} {' '.join(answers)}"
        return replace(gold, quotes=[(at, wanted) for at in gold.passages])
