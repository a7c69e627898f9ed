"""Comparison of texts by their words: equality, and whether a text holds an answer."""

import re
import unicodedata
from collections.abc import Iterable

from raft_exp.core.records import ContextPassage, Passage

CLOSED_CLASS = frozenset({"yes", "no", "maybe"})
_NON_WORDS = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """The words of a text, case-folded, in NFKC and separated by one space; punctuation of any script is removed."""
    return _NON_WORDS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def answer_pattern(answers: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that finds any of the open answers, as whole words, in text of `normalise`; None without open answers.

    Closed-class answers (yes, no, maybe) have no pattern: distractors without these words would reveal the label.
    """
    forms = {normalise(answer) for answer in answers}
    forms = {form for form in forms if form and form not in CLOSED_CLASS}
    if not forms:
        return None
    return re.compile(r"(?<!\S)(?:" + "|".join(re.escape(form) for form in sorted(forms)) + r")(?!\S)")


def holds(answers: re.Pattern[str], passage: Passage | ContextPassage) -> bool:
    """Whether the title or the text of a passage holds an answer."""
    return any(answers.search(normalise(text)) for text in (passage.title, passage.text))
