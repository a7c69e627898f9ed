"""Finds the gold passages and the quotes of each row in a file of questions.

A row may name gold passages, or documents (`gold.py`). For a row that names neither, a search finds the gold:

1. The best search hit that contains an answer word for word is gold (`answer_search.py`).
2. If there is none and an answer has more than `SHORT` words, the passage closest to question and answer is searched in
   the whole collection. Its document counts as the document that the row names. Its gold must contain at least
   `LEAST_HELD` of the words of an answer.

If neither step finds gold, the question is left out. A short answer must occur word for word, because a passage that
contains only some of its few words is no evidence.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from raft_exp.core import words
from raft_exp.core.collection import Passages
from raft_exp.corpora.answer_search import AnswerSearches
from raft_exp.corpora.gold import FoundGold, GoldFinder
from raft_exp.corpora.quoted import Place, closest_quotes
from raft_exp.retrieval.likeness import ByVectors, Likeness
from raft_exp.retrieval.text import searched_text

RULES = 1  # version of the rules for rows that name neither gold passages nor documents and have a long answer
SHORT = 5  # most words of a short answer: the limit of NQ-open (Lee et al. 2019)
# Least share of an answer's distinct words (without stop words) in its gold passages. Answers about other subjects have
# about a quarter of their words in the closest passages; free answers about the documents have half of them or more.
LEAST_HELD = 1 / 3
_BLOCK = 512  # rows of one vector search


@dataclass(frozen=True)
class Hints:
    """The gold passages that a row names (`named`), or the passages of each document that a row names (`documents`).

    The gold of a row that names neither is searched among the passages `retrieved`, or in the whole collection if
    `retrieved` is None.
    """

    named: list[int]
    documents: list[list[int]] = field(default_factory=list)
    retrieved: list[int] | None = None


def guesses(by_answer: int, in_document: int) -> str:
    """Describes the guessed gold of questions that name neither gold passages nor a document; "" without guesses.

    `by_answer`: number of questions whose gold is the first found passage with the short answer. `in_document`: number
    of questions whose document was found.
    """
    places = (
        (by_answer, "the first passage of a search that holds the short answer"),
        (in_document, "in the document with the passage closest to question and answer"),
    )
    return ", or ".join(f"{place} ({count:,})" for count, place in places if count)


def is_long(answers: Iterable[str]) -> bool:
    """Whether an answer has more than `SHORT` words."""
    return any(words.count(answer) > SHORT for answer in answers)


class GoldSearch:
    """Finds the gold and the quotes of each row, and caches them, because the file is read several times.

    `most`: the value of `corpus.closest`. `indexed`: the folder of stage `index`; None: the first search builds an
    index.
    """

    def __init__(self, collection: Passages, most: int, likeness: Likeness, indexed: Path | None = None) -> None:
        self.finder = GoldFinder(collection, most, likeness)
        self._collection, self._likeness, self._searches = collection, likeness, AnswerSearches(collection, indexed)
        self._found: dict[str, tuple[FoundGold, list[Place], bool]] = {}  # by the place of the row
        self._nearest: dict[str, int] = {}  # place of a row -> the nearest passage, found by `search_vectors`

    def search_vectors(self, rows: Iterator[tuple[str, str, list[str]]]) -> None:
        """Finds and caches the nearest passages of the rows with long answers, for many rows at once.

        `rows`: (place, question, answers) of the rows that name neither gold passages nor documents. Does nothing
        unless vectors decide what is similar.
        """
        if isinstance(self._likeness, ByVectors):
            searched = ((place, _wanted(question, answers)) for place, question, answers in rows if is_long(answers))
            while block := list(islice(searched, _BLOCK)):
                nearest = self._likeness.nearest([text for _, text in block])
                self._nearest.update(zip((place for place, _ in block), nearest, strict=True))

    def __call__(
        self, place: str, question: str, answers: list[str], hints: Hints, with_quotes: bool
    ) -> tuple[FoundGold, list[Place], bool]:
        """Returns (gold, sentences to quote, whether one of these sentences contains an answer).

        `place`: the place of the row in the file, under which the result is cached. `with_quotes`: False gives no
        sentences.
        """
        if place not in self._found:
            if hints.named:
                gold = self.finder.named(question, answers, hints.named)
            elif hints.documents:
                gold = self.finder.find(place, question, answers, hints.documents)
            else:
                gold = self._searched(place, question, answers, hints.retrieved)
            passages = ((self._collection[at], text) for at, text in (gold.quotes if with_quotes else ()))
            quotes, holds = closest_quotes(passages, answers, self._collection.form, self._likeness.sentences)
            self._found[place] = replace(gold, quotes=[]), quotes, holds  # without texts, as all rows are held
        return self._found[place]

    def _searched(self, place: str, question: str, answers: Sequence[str], retrieved: list[int] | None) -> FoundGold:
        if retrieved is None:
            gold = self._searches.in_collection(question, answers)
        else:
            gold = self._searches.among(answers, retrieved)
        if not gold.passages and is_long(answers):
            return self._closest(place, question, answers, retrieved) or gold
        return replace(gold, quotes=[(at, _wanted(question, answers)) for at in gold.passages])

    def _closest(
        self, place: str, question: str, answers: Sequence[str], retrieved: list[int] | None
    ) -> FoundGold | None:
        """Returns the gold in the document of the closest passage.

        Returns None if no passage is similar, or if the gold contains too few words of the answers.
        """
        best = self._closest_passage(place, _wanted(question, answers), retrieved)
        if best is None:
            return None
        document = self._collection.of_document(self._collection[best].document_id)
        if retrieved is not None:
            document = [at for at in document if at in retrieved]
        gold = self.finder.in_document(question, answers, document)
        if not self._holds_enough(gold.passages, answers):
            return None
        neither = {*gold.passages, *gold.also_answering}
        given = [at for at in retrieved or () if at not in neither]
        return replace(gold, given=given, found_document=True)

    def _closest_passage(self, place: str, text: str, retrieved: list[int] | None) -> int | None:
        if retrieved is None:
            return self._nearest[place] if place in self._nearest else self._searches.closest(text)
        scores = dict(zip(retrieved, self._likeness.passages(text, retrieved), strict=True)) if retrieved else {}
        best = max(scores, key=lambda at: scores[at], default=None)
        return best if best is not None and scores[best] > 0 else None

    def _holds_enough(self, gold: Sequence[int], answers: Sequence[str]) -> bool:
        held = {word for at in gold for word in words.indexed(searched_text(self._collection[at]))}
        wanted = [set(words.indexed(answer)) for answer in answers if is_long([answer])]
        return any(len(each & held) >= LEAST_HELD * len(each) for each in wanted if each)


def _wanted(question: str, answers: Sequence[str]) -> str:
    return f"{question} {' '.join(answers)}"
