"""An index of the training questions by words, answers and gold passages, compact in memory."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from raft_exp.core.collection import Passages, hash64
from raft_exp.core.records import Question
from raft_exp.core.shingles import text_hash, units
from raft_exp.core.wording import answer_forms

Questions = Callable[[], Iterator[Question]]  # each call streams the questions of all splits


@dataclass(frozen=True)
class ComparedQuestion:
    """The values of a question that are compared. Passages are ordinals; documents and words are hashes."""

    id: str
    split: str
    units: list[str]
    words: int
    answers: frozenset[str]
    gold: tuple[int, ...]
    documents: frozenset[int]  # with corpus.split: the units of the gold passages

    @classmethod
    def of(cls, question: Question, passages: Passages) -> "ComparedQuestion":
        """Computes the values of a question. Raises DataError if a gold passage is not in the collection."""
        question_units = units(question.question)
        gold = tuple(map(passages.find, question.gold))
        return cls(
            question.id,
            question.split,
            question_units,
            text_hash(question_units),
            answer_forms(question.answers),
            gold,
            frozenset(int(passages.units[ordinal]) for ordinal in gold),
        )


class Column:
    """An inverted index: 64-bit value -> numbers of training questions.

    A question may have several values. Each value takes 12 bytes.
    """

    def __init__(self) -> None:
        self._added, self._owners = array("Q"), array("I")
        self.values, self._rows = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint32)  # by ascending value

    def add(self, row: int, values: Iterable[int]) -> None:
        """Adds the values of a question."""
        for value in values:
            self._added.append(value)
            self._owners.append(row)

    def sort(self) -> None:
        """Sorts the values; must be called before `rows`."""
        values = np.frombuffer(self._added, dtype=np.uint64)
        order = np.argsort(values, kind="stable")
        self.values, self._rows = values[order], np.frombuffer(self._owners, dtype=np.uint32)[order]

    def rows(self, value: int, most: int | None = None) -> list[int]:
        """Returns the numbers of the questions with a value; [] if more than `most` questions have it."""
        start, end = (int(self.values.searchsorted(np.uint64(value), side)) for side in ("left", "right"))
        return [] if most is not None and end - start > most else [int(row) for row in self._rows[start:end]]


class TrainingIndex:
    """An index of the training questions. The questions themselves stay on disk and are read again when needed."""

    def __init__(self, questions: Questions, passages: Passages) -> None:
        self._questions, self._passages = questions, passages
        self.words, self.answers, self.gold = Column(), Column(), Column()
        for row, question in enumerate(self._stream()):
            compared = ComparedQuestion.of(question, passages)
            self.words.add(row, [compared.words])
            self.answers.add(row, map(hash64, compared.answers))
            self.gold.add(row, compared.gold)
        for column in (self.words, self.answers, self.gold):
            column.sort()

    def read(self, rows: Iterable[int]) -> Iterator[tuple[int, ComparedQuestion]]:
        """Yields (number, question) for the questions with the numbers `rows`, in ascending order of the numbers."""
        chosen = set(rows)
        for row, question in enumerate(self._stream()):
            if row in chosen:
                yield row, ComparedQuestion.of(question, self._passages)

    def _stream(self) -> Iterator[Question]:
        return (question for question in self._questions() if question.split == "train")
