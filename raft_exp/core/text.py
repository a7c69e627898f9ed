"""Texts compared by their words: whether two are the same, and whether one holds an answer."""

import re
import unicodedata
from collections.abc import Iterable

from raft_exp.core.records import ContextPassage, Passage

CLOSED_CLASS = frozenset({"yes", "no", "maybe"})
_SIGNS = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """Words alone, with one blank between them: case, signs of any script, and ways to write a letter do not count."""
    return _SIGNS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def answer_pattern(answers: Iterable[str]) -> re.Pattern[str] | None:
    """Finds any of the open answers, word-bounded, in normalised text; None for closed-class answers (yes, no, maybe),
    where passing over passages with the word would make the distractors tell the label.
    """
    forms = {normalise(answer) for answer in answers}
    forms = {form for form in forms if form and form not in CLOSED_CLASS}
    if not forms:
        return None
    return re.compile(r"(?<!\S)(?:" + "|".join(re.escape(form) for form in sorted(forms)) + r")(?!\S)")


def holds(answers: re.Pattern[str], passage: Passage | ContextPassage) -> bool:
    """Whether an answer stands in what is shown of a passage: its title, or its text."""
    return any(answers.search(normalise(shown)) for shown in (passage.title, passage.text))
