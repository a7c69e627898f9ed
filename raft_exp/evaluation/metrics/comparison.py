"""How a corpus's replies are compared with its answers: as published for its metrics, or in any language."""

import re
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from raft_exp.core import words
from raft_exp.core.text import answer_pattern, normalise

_DELETE_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"(?:\A\W*(?:A|An)|\b(?:[Tt]he|THE|a|an))\b(?=\W+\w)")


class Comparison(Protocol):
    """A way to compare replies with answers: a normalisation, and the tests that rest on it."""

    @property
    def name(self) -> str:
        """Its name in the report."""

    def __hash__(self) -> int:
        """Comparisons with the same settings are equal."""

    def __call__(self, text: str) -> str:
        """The normalised words of a text, separated by one space: equal texts are an exact match."""

    def holds(self, text: str, answers: Sequence[str]) -> bool:
        """Whether a text holds an answer, as whole words."""

    def length(self, text: str) -> int:
        """The number of words of a text."""

    def tokens(self, text: str) -> list[str] | None:
        """The tokens of ROUGE-L; None for those of the package rouge-score."""


@dataclass(frozen=True)
class Published:
    """The normalisation of HotpotQA, or with `nfd` that of NQ-open, which are for English."""

    nfd: bool
    name: str = "as published"

    def __call__(self, text: str) -> str:
        """Lower case, without punctuation and articles."""
        return normalize(text, nfd=self.nfd)

    def holds(self, text: str, answers: Sequence[str]) -> bool:
        """Whether the normalised text holds a normalised answer."""
        words = f" {self(text)} "
        return any(f" {answer} " in words for answer in map(self, answers) if answer)

    def length(self, text: str) -> int:
        """The number of words between blanks."""
        return len(text.split())

    def tokens(self, text: str) -> None:
        """None: rouge-score's own (Latin letters and digits)."""


@dataclass(frozen=True)
class AnyLanguage:
    """The words of `core.words`: any language; numbers and signs count. English articles before a word do not."""

    name: str = "by their words in any language; numbers and signs count"

    def __call__(self, text: str) -> str:
        """The words in the form for scores."""
        return words.scored(_ARTICLE.sub(" ", text))

    def holds(self, text: str, answers: Sequence[str]) -> bool:
        """Whether the text holds an answer; behind a Korean answer a particle may stand."""
        search = answer_pattern((_ARTICLE.sub(" ", answer) for answer in answers), normalise, closed=())
        return search is not None and search.search(_ARTICLE.sub(" ", text))

    def length(self, text: str) -> int:
        """The number of words."""
        return words.count(text)

    def tokens(self, text: str) -> list[str]:
        """The words in the form for scores."""
        return self(text).split()


def normalize(text: str, *, nfd: bool) -> str:
    """HotpotQA's normalisation: lower case, without punctuation and articles, single spaces.

    With `nfd` NQ-open's, which decomposes accented letters first.
    """
    text = unicodedata.normalize("NFD", text) if nfd else text
    text = text.lower().translate(_DELETE_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())
