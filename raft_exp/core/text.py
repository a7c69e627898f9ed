"""Comparison of texts by their words: equality, and whether a text holds an answer.

Two forms of a text's words are in use. `normalise` is for the user's own corpora: any language, and numbers and signs
count (`core.words`). `plain_words` is for the published data sets, whose results it leaves as they are. A collection
knows its own (`Passages.form`).
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from raft_exp.core.records import ContextPassage, Passage
from raft_exp.core.scripts import PARTICLE, before_word, ends_in_korean
from raft_exp.core.words import searched

CLOSED_CLASS = frozenset({"yes", "no", "maybe"})
_ARTICLE = re.compile("ال(?=[\u0621-\u064a]{3})")  # the Arabic article, which stands together with its word
_NON_WORDS = re.compile(r"[\W_]+")

Form = Callable[[str], str]  # text -> its words, separated by one space


def normalise(text: str) -> str:
    """The words of a text in any language, with numbers and their signs, separated by one space (`core.words`)."""
    return searched(text)


def plain_words(text: str) -> str:
    """The letters and digits of a text, case-folded, in NFKC; all else becomes one space."""
    return _NON_WORDS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


@dataclass(frozen=True)
class AnswerSearch:
    """Finds the open answers of a question in texts, as whole words.

    Behind a Korean answer a particle may stand, and before an Arabic or Hebrew one what is written together with it.
    """

    pattern: re.Pattern[str]
    form: Form

    def search(self, text: str) -> bool:
        """Whether a text holds an answer."""
        return self.pattern.search(self.form(text)) is not None


def answer_pattern(
    answers: Iterable[str], form: Form = normalise, closed: Iterable[str] = CLOSED_CLASS
) -> AnswerSearch | None:
    """The search for any of the open answers; None without open answers.

    Closed-class answers (yes, no, maybe) are not searched: distractors without these words would reveal the label.
    """
    forms = {form(answer) for answer in answers} - {"", *closed}
    if not forms:
        return None
    alternatives = (_alternative(words) if form is normalise else re.escape(words) for words in sorted(forms))
    return AnswerSearch(re.compile(rf"(?<!\S)(?:{'|'.join(alternatives)})(?!\S)"), form)


def _alternative(words: str) -> str:
    """A pattern for the words of an answer, with the short words that some languages write together with them."""
    article = _ARTICLE.match(words)
    before = rf"(?:{before_word(words)}{article[0]}|[وف]?لل)" if article else before_word(words)
    rest = words[article.end() :] if article else words
    return before + re.escape(rest) + (PARTICLE if ends_in_korean(words) else "")


def holds(answers: AnswerSearch, passage: Passage | ContextPassage) -> bool:
    """Whether the title or the text of a passage holds an answer."""
    return any(answers.search(text) for text in (passage.title, passage.text))
