"""Compares texts by their words: whether they are equal, and whether a text contains an answer.

There are two ways to reduce a text to its words. `normalise` serves the user's own corpora: it reads any language, and
keeps numbers and signs (`core.words`). `plain_words` serves the published data sets, so that earlier results on these
stay valid. `Passages.form` is the function that a collection uses.
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
    """Returns the words of a text in any language, with numbers and signs, separated by one space (`core.words`)."""
    return searched(text)


def plain_words(text: str) -> str:
    """Returns a text in NFKC and case-folded, with one space between runs of letters and digits."""
    return _NON_WORDS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


@dataclass(frozen=True)
class AnswerSearch:
    """Searches texts for the open answers of a question, as whole words.

    With the form `normalise`, a particle may follow a Korean answer in the text, and a prefix such as "and" or "in" may
    precede an Arabic or Hebrew answer.
    """

    pattern: re.Pattern[str]
    form: Form

    def search(self, text: str) -> bool:
        """Whether a text contains an answer."""
        return self.pattern.search(self.form(text)) is not None


def answer_pattern(
    answers: Iterable[str], form: Form = normalise, closed: Iterable[str] = CLOSED_CLASS
) -> AnswerSearch | None:
    """Returns an AnswerSearch for any of the open answers; None if there is no open answer.

    `form`: reduces answers and searched texts to their words. `closed`: labels such as yes and no, which are not
    searched. If they were, no distractor would contain the word of the label, and this would reveal the label.
    """
    forms = {form(answer) for answer in answers} - {"", *closed}
    if not forms:
        return None
    alternatives = (_alternative(words) if form is normalise else re.escape(words) for words in sorted(forms))
    return AnswerSearch(re.compile(rf"(?<!\S)(?:{'|'.join(alternatives)})(?!\S)"), form)


def _alternative(words: str) -> str:
    """Returns a regular expression for an answer, with the prefixes and particles that its language may attach."""
    article = _ARTICLE.match(words)
    before = rf"(?:{before_word(words)}{article[0]}|[وف]?لل)" if article else before_word(words)
    rest = words[article.end() :] if article else words
    return before + re.escape(rest) + (PARTICLE if ends_in_korean(words) else "")


def holds(answers: AnswerSearch, passage: Passage | ContextPassage) -> bool:
    """Whether the title or the text of a passage contains one of the `answers`."""
    return any(answers.search(text) for text in (passage.title, passage.text))
