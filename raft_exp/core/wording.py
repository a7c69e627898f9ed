"""Whether two questions are one: by their words, their answers and their gold passages.

Questions that differ in one word may be copies ("Does honey help against cough?", "Does honey help against coughs?")
or questions about two things ("When was Velmor founded?", "When was Garford founded?"). And one wording may ask about
many documents ("What is the product's name?"). So words alone make no leak: the answers or the gold must agree too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Literal

from raft_exp.core.text import CLOSED_CLASS, plain_words

CHANGED = 0.3  # largest share of the units that a near question changes; one unit may always change
LEAST_UNITS = 3  # shorter questions are compared by equality alone
FEW_DOCUMENTS = 3  # a wording that asks about more is a template

Wording = Literal["same", "longer", "near", "other"]


def wording(first: Sequence[str], second: Sequence[str]) -> Wording:
    """Compares two questions by their units.

    - same: equal.
    - longer: one has all units of the other, in any order, and few more.
    - near: few units differ.
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
    """The most units of a question of this size that a near one changes."""
    return max(1, int(CHANGED * size))


def answer_forms(answers: Sequence[str]) -> frozenset[str]:
    """The answers as `plain_words` writes them."""
    return frozenset(filter(None, map(plain_words, answers)))


def open_forms(forms: frozenset[str]) -> frozenset[str]:
    """The answers without yes, no and maybe, on which many questions agree by chance."""
    return forms - CLOSED_CLASS


def answers_agree(first: frozenset[str], second: frozenset[str]) -> bool:
    """Whether an answer of one is an answer of the other, or stands in it as whole words."""
    return any(f" {one} " in f" {other} " or f" {other} " in f" {one} " for one in first for other in second)


class WordingUses:
    """The uses of each wording in a data set: on which documents, with which answers. Wordings and documents are named
    by hashes.
    """

    def __init__(self) -> None:
        self._documents: dict[int, set[int]] = defaultdict(set)
        self._answers: dict[int, list[frozenset[str]]] = defaultdict(list)

    def add(self, words: int, documents: Iterable[int], answers: frozenset[str]) -> None:
        """Counts a question."""
        self._documents[words].update(documents)
        if len(self._answers[words]) <= FEW_DOCUMENTS:
            self._answers[words].append(answers)

    def is_template(self, words: int) -> bool:
        """Whether the document decides the answer: the wording asks about many documents, or has several answers."""
        pairs = combinations(self._answers[words], 2)
        return len(self._documents[words]) > FEW_DOCUMENTS or not all(answers_agree(*pair) for pair in pairs)

    def repeated(self) -> Iterator[set[int]]:
        """The documents of each wording that asks about two or more of them and is no template."""
        for words, documents in self._documents.items():
            if len(documents) > 1 and not self.is_template(words):
                yield documents
