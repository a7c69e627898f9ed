"""Finds the gold passages of a question whose file names only its document.

A passage that contains an answer word for word is gold. If several do, the one most similar to question and answer is
gold; the others are neither gold nor distractors.

If no passage contains an answer (it may be in the author's own words), the passages most similar to question and answer
are gold, at most `corpus.closest`. An answer of several statements may need several passages: then the most similar
passage of each statement is gold. A question that names several documents has gold in each of them. The retriever of
the study measures similarity (`retrieval/likeness.py`).
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.text import AnswerSearch, answer_pattern
from raft_exp.core.words import indexed
from raft_exp.corpora.sentences import sentences_of
from raft_exp.retrieval.likeness import ByWords, Likeness

SLICE = "gold"  # name of the slice by how the gold passages were found: word for word, or by similarity
WORD_FOR_WORD, CLOSEST = "holds the answer", "closest to question and answer"
PLACES = "evidence"  # name of the slice by the number of passages that hold the evidence: one, or several
ONE, SEVERAL = "in one passage", "in several passages"
_LEAST = 0.5  # of the best score of the document: passages with less are not gold
_LEAST_WORDS = 2  # a statement has at least this many words
_SHOWN = 20  # an error names at most this many questions
_PARTS = re.compile(r"[;；\n]+")


@dataclass(frozen=True)
class FoundGold:
    """The gold of a question. Passages are given by their ordinals in the collection."""

    passages: list[int]
    # How the gold was found: the row names it | word for word in a document | a document of at most `corpus.closest`
    # passages without the answer | the most similar passages of a document | word for word among the hits of a search
    kind: Literal["named", "answer", "document", "closeness", "search"] = "named"
    also_answering: list[int] = field(default_factory=list)  # have an answer, but are neither gold nor distractors
    several: bool = False  # the evidence needs several of the passages
    more: bool = False  # the evidence needs more passages than `corpus.closest`
    known: bool = True  # False: no passage has anything in common with question and answer
    # Passages to quote, each with the text that the quote must resemble.
    quotes: list[tuple[int, str]] = field(default_factory=list)
    given: list[int] = field(default_factory=list)  # found by a search, without an answer: distractors
    found_document: bool = False  # the row names no document: a search over all passages found it

    def count(self, counts: Counter[str]) -> None:
        """Adds the question to the counts of the questions stage."""
        if self.kind != "named" and self.passages:
            counts[f"gold_by_{self.kind}"] += 1
        marks = (
            ("gold_several", self.several),
            ("gold_beyond_closest", self.more),
            ("gold_in_found_document", self.found_document),
        )
        for name, holds in marks:
            if holds:
                counts[name] += 1
        if self.also_answering:
            counts["gold_of_many"] += 1
            counts["also_answering"] += len(self.also_answering)

    def slices(self, both_kinds: bool, both_places: bool) -> dict[str, str]:
        """Returns the slices of the question.

        `both_kinds`: False leaves out the slice by the way in which the gold was found (word for word or by
        similarity). `both_places`: False leaves out the slice by the number of passages with evidence (one or several).
        """
        found = WORD_FOR_WORD if self.kind in ("answer", "search") else CLOSEST
        kind = {SLICE: found} if both_kinds and self.kind != "named" else {}
        return kind | ({PLACES: SEVERAL if self.several else ONE} if both_places else {})


class GoldFinder:
    """Finds the gold passages of questions.

    `unknown`: the places of the rows that name a document whose passages contain no answer and have nothing in common
    with the row. `most`: the value of `corpus.closest`.
    """

    def __init__(self, collection: Passages, most: int, likeness: Likeness) -> None:
        self._collection, self._most, self._likeness = collection, most, likeness
        self.unknown: list[str] = []

    def named(self, question: str, answers: Sequence[str], passages: list[int]) -> FoundGold:
        """Returns the gold of a question whose file names the gold passages.

        Every gold passage in which no answer occurs word for word counts as evidence. Of the gold passages in which an
        answer occurs, only the one most similar to the question and the answers counts.
        """
        wanted = _wanted(question, answers)
        holding = self._holding(answers, passages)
        best = self._ranked(wanted, passages, holding)[:1]
        quoted = sorted({*best, *passages} - ({*holding} - {*best}), key=passages.index)
        return FoundGold(passages, several=len(quoted) > 1, quotes=[(at, wanted) for at in quoted])

    def find(self, place: str, question: str, answers: Sequence[str], documents: Sequence[list[int]]) -> FoundGold:
        """Returns the gold of a question whose file names documents. `documents`: the passages of each document."""
        most = self._most if len(documents) == 1 else 1
        parts = [self.in_document(question, answers, passages, most) for passages in documents]
        if not all(part.known for part in parts):
            self.unknown.append(place)
        return parts[0] if len(parts) == 1 else _joined(parts)

    def check(self, asked: int) -> None:
        """Raises DataError if `unknown` has rows. `asked`: the number of all questions."""
        if self.unknown:
            shared, remedy = "nothing", "or leave the questions out"
            if isinstance(self._likeness, ByWords):
                shared = "no word"
                remedy = "leave the questions out, or set retriever=dense with an encoder that knows both languages"
            shown = ", ".join(self.unknown[:_SHOWN]) + (", ..." if len(self.unknown) > _SHOWN else "")
            raise DataError(
                f"corpus.questions: {len(self.unknown)} of {asked} questions ({shown}) have {shared} in common "
                "with the passages of their document, and no passage contains the answer word for word, so the gold is "
                f'unknown; name the gold passages in the field "gold", {remedy}'
            )

    def in_document(
        self, question: str, answers: Sequence[str], passages: list[int], most: int | None = None
    ) -> FoundGold:
        """Returns the gold of a question in one document.

        `passages`: the passages of the document, at least one. `most`: the largest number of gold passages; None:
        `corpus.closest`.
        """
        most = self._most if most is None else most
        wanted, holding = _wanted(question, answers), self._holding(answers, passages)
        if holding:
            best, *others = self._ranked(wanted, passages, holding) if len(holding) > 1 else holding
            return FoundGold([best], "answer", sorted(others), quotes=[(best, wanted)])
        return self._closest(question, answers, passages, most)

    def _closest(self, question: str, answers: Sequence[str], passages: list[int], most: int) -> FoundGold:
        wanted = _wanted(question, answers)
        scores = dict(zip(passages, self._likeness.passages(wanted, passages), strict=True))
        ranked = sorted(passages, key=lambda at: -scores[at])
        known = scores[ranked[0]] > 0
        needed = self._of_statements(question, answers, passages) if known else {}
        several = len(needed) > 1
        chosen = [at for at in ranked if scores[at] >= _LEAST * scores[ranked[0]]]
        chosen = [*needed] if several else chosen if known else ranked
        kind: Literal["document", "closeness"] = "closeness"
        if len(passages) <= most:
            chosen, kind, known = passages, "document", True
        gold = chosen[:most]
        quotes = [(at, f"{question} {text}") for at, text in needed.items()] if several else [(ranked[0], wanted)]
        return FoundGold(
            sorted(gold),
            kind,
            several=several and len(gold) > 1,
            more=several and len(chosen) > most,
            known=known,
            quotes=[quote for quote in quotes if quote[0] in gold],
        )

    def _of_statements(self, question: str, answers: Sequence[str], passages: list[int]) -> dict[int, str]:
        """Returns {passage: the statements of the first answer to which it is most similar}, most statements first."""
        needed: dict[int, list[str]] = {}
        for statement in statements(answers[0]) if answers else ():
            best, *_ = self._ranked(f"{question} {statement}", passages, passages)
            needed.setdefault(best, []).append(statement)
        return {at: " ".join(needed[at]) for at in sorted(needed, key=lambda at: -len(needed[at]))}

    def _holding(self, answers: Sequence[str], passages: Sequence[int]) -> list[int]:
        pattern: AnswerSearch | None = answer_pattern(answers, self._collection.form)
        return [at for at in passages if pattern and pattern.search(self._collection[at].text)]

    def _ranked(self, text: str, passages: Sequence[int], among: Sequence[int]) -> list[int]:
        """Returns the passages of `among`, the most similar to a text first. Ties keep the order of the document."""
        if len(among) < 2:
            return [*among]
        scores = dict(zip(passages, self._likeness.passages(text, passages), strict=True))
        return sorted(among, key=lambda at: -scores[at])


def statements(answer: str) -> Iterator[str]:
    """Yields the statements of an answer: its sentences, lines, and parts between semicolons, of at least two words."""
    for part in _PARTS.split(answer):
        for sentence in sentences_of(part):
            if len(indexed(sentence)) >= _LEAST_WORDS:
                yield sentence.strip()


def _wanted(question: str, answers: Sequence[str]) -> str:
    return f"{question} {' '.join(answers)}"


def _joined(parts: Sequence[FoundGold]) -> FoundGold:
    """Merges the gold of the documents of one question."""
    kinds = {part.kind for part in parts}
    return FoundGold(
        [at for part in parts for at in part.passages],
        "answer" if "answer" in kinds else "closeness",
        [at for part in parts for at in part.also_answering],
        several=True,
        quotes=[quote for part in parts for quote in part.quotes],
    )
