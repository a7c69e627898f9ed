"""Compares replies with answers: by the published rule of the data set (English), or by words of any language."""

import re
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from raft_exp.core import words
from raft_exp.core.text import answer_pattern, normalise

_DELETE_PUNCTUATION = str.maketrans("", "", string.punctuation)
_LABELS = ("yes", "no", "noanswer")
_ARTICLE = re.compile(r"(?:\A\W*(?:A|An)|\b(?:[Tt]he|THE|a|an))\b(?=\W+\w)")


class Comparison(Protocol):
    """A normalisation of replies and answers, and the functions that use it."""

    @property
    def name(self) -> str:
        """The name of the comparison in reports."""

    @property
    def never_partly_right(self) -> tuple[str, ...]:
        """The normalised texts whose F1 against any other text is 0."""

    def __hash__(self) -> int:
        """Returns equal hashes for comparisons with equal settings: results are cached by comparison."""

    def __call__(self, text: str) -> str:
        """Returns the normalised words of a text, separated by one space. Equal results are an exact match."""

    def holds(self, text: str, answers: Sequence[str]) -> bool:
        """Whether a text contains any of the answers, as whole words."""

    def length(self, text: str) -> int:
        """Returns the number of words of a text."""

    def tokens(self, text: str) -> list[str] | None:
        """Returns the tokens for ROUGE; None if rouge-score must use its own tokenizer."""


@dataclass(frozen=True)
class Published:
    """The published normalisation of HotpotQA; with `nfd=True`, that of NQ-open. Both are made for English."""

    nfd: bool
    name: str = "as published"
    never_partly_right: tuple[str, ...] = _LABELS

    def __call__(self, text: str) -> str:
        """Returns a text in lower case, without punctuation and articles."""
        return normalize(text, nfd=self.nfd)

    def holds(self, text: str, answers: Sequence[str]) -> bool:
        """Whether the normalised text contains any of the normalised answers, as whole words."""
        words = f" {self(text)} "
        return any(f" {answer} " in words for answer in map(self, answers) if answer)

    def length(self, text: str) -> int:
        """Returns the number of words, split at white space."""
        return len(text.split())

    def tokens(self, text: str) -> None:
        """Returns None, so that rouge-score uses its own tokenizer (Latin letters and digits)."""


@dataclass(frozen=True)
class AnyLanguage:
    """Compares texts of any language by words (`core.words`). Numbers and signs count; English articles do not."""

    name: str = "by their words in any language; numbers and signs count"
    never_partly_right: tuple[str, ...] = _LABELS

    def __call__(self, text: str) -> str:
        """Returns the words of a text in the form `scored` of `core.words`, without English articles."""
        return words.scored(_ARTICLE.sub(" ", text))

    def holds(self, text: str, answers: Sequence[str]) -> bool:
        """Whether a text contains any of the answers as whole words (`core.text.answer_pattern`)."""
        search = answer_pattern((_ARTICLE.sub(" ", answer) for answer in answers), normalise, closed=())
        return search is not None and search.search(_ARTICLE.sub(" ", text))

    def length(self, text: str) -> int:
        """Returns the number of words (`core.words.count`)."""
        return words.count(text)

    def tokens(self, text: str) -> list[str]:
        """Returns the normalised words of a text as a list."""
        return self(text).split()


def normalize(text: str, *, nfd: bool) -> str:
    """Normalises a text as HotpotQA does: lower case, without punctuation and articles, single spaces.

    `nfd`: whether accented letters are decomposed first (Unicode NFD), as in NQ-open.
    """
    text = unicodedata.normalize("NFD", text) if nfd else text
    text = text.lower().translate(_DELETE_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())
