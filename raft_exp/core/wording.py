"""Decides whether two questions are the same, by their words, their answers and their gold passages.

Questions that differ in one word may be copies ("Does honey help against cough?", "Does honey help against coughs?")
or questions about two things ("When was Velmor founded?", "When was Garford founded?"). Questions with equal words may
be about different documents ("What is the product's name?"). So equal words alone do not show that a test question is
also a training question: the answers or the gold passages must agree too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Literal

from raft_exp.core.text import CLOSED_CLASS, plain_words

CHANGED = 0.3  # largest share of the units that a near question changes; one unit may always change
LEAST_UNITS = 3  # shorter questions are compared by equality alone
FEW_DOCUMENTS = 3  # a wording that asks about more documents is a template

Wording = Literal["same", "longer", "near", "other"]


def wording(first: Sequence[str], second: Sequence[str]) -> Wording:
    """Compares two questions by their units (`core.shingles.units`).

    - same: equal units in equal order.
    - longer: one question has all units of the other, in any order, and at most a few more (`changeable`).
    - near: a few units of each question differ (`changeable`).
    - other: all other pairs, and unequal pairs with a question of fewer than `LEAST_UNITS` units.
    """
    if first == second:
        return "same"
    if min(len(first), len(second)) < LEAST_UNITS:
        return "other"
    one, other = Counter(first), Counter(second)
    missing, more = (one - other).total(), (other - one).total()
    if max(missing, more) > changeable(max(len(first), len(second))):
        return "other"
    return "near" if missing and more else "longer"


def changeable(size: int) -> int:
    """Returns the maximum number of units in which two near questions may differ.

    `size`: number of units of the longer question.
    """
    return max(1, int(CHANGED * size))


def answer_forms(answers: Sequence[str]) -> frozenset[str]:
    """Returns the answers in the form of `plain_words`, without empty answers."""
    return frozenset(filter(None, map(plain_words, answers)))


def open_forms(forms: frozenset[str]) -> frozenset[str]:
    """Returns the `forms` of answers without yes, no and maybe, which many unrelated questions have in common."""
    return forms - CLOSED_CLASS


def answers_agree(first: frozenset[str], second: frozenset[str]) -> bool:
    """Whether an answer of one question equals an answer of the other, or is contained in it as whole words."""
    return any(f" {one} " in f" {other} " or f" {other} " in f" {one} " for one in first for other in second)


class WordingUses:
    """Collects the documents and the answers of each wording (question text) in a data set.

    Wordings and documents are represented by 64-bit hashes.
    """

    def __init__(self) -> None:
        self._documents: dict[int, set[int]] = defaultdict(set)
        self._answers: dict[int, list[frozenset[str]]] = defaultdict(list)

    def add(self, words: int, documents: Iterable[int], answers: frozenset[str]) -> None:
        """Adds a question: the hash of its words, the hashes of its documents, and its answers (`answer_forms`)."""
        self._documents[words].update(documents)
        if len(self._answers[words]) <= FEW_DOCUMENTS:
            self._answers[words].append(answers)

    def is_template(self, words: int) -> bool:
        """Whether a wording is a template: it asks about many documents, or its questions have different answers."""
        pairs = combinations(self._answers[words], 2)
        return len(self._documents[words]) > FEW_DOCUMENTS or not all(answers_agree(*pair) for pair in pairs)

    def repeated(self) -> Iterator[set[int]]:
        """Yields the documents of each wording that asks about two or more documents and is not a template."""
        for words, documents in self._documents.items():
            if len(documents) > 1 and not self.is_template(words):
                yield documents
