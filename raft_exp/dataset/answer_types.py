"""The visible types of short answers, and whether two answers may mean the same.

In a false passage, an answer is replaced only by an answer of the same type: a date by a date, a number by a number, a
name by a name. The type depends only on the characters, so it is rough: Paris and Shakespeare are both names.
"""

import re
import unicodedata
from typing import Literal

from raft_exp.core.text import CLOSED_CLASS, plain_words
from raft_exp.prompts.answer_kinds import DATE

AnswerType = Literal["label", "date", "number", "name", "text"]  # the closed list of types

_NUMBER = re.compile(r"\W*\d[\d.,'\u00a0\u202f ]*(?:\W*|\W*[^\W\d].*)", re.DOTALL)  # with or without a unit behind it
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
_WORD = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_ARTICLES = frozenset({"a", "an", "the"})


def answer_type(answer: str) -> AnswerType | None:
    """Returns the first type that fits an answer; None for an answer without letters and digits.

    - "label": yes, no or maybe;
    - "date": a year, a month, a day, a decade or a century;
    - "number": begins with a number in digits; a unit or any other words may follow;
    - "name": contains a capital letter;
    - "text": any other answer.
    """
    text = answer.strip()
    if not plain_words(text):
        return None
    if plain_words(text) in CLOSED_CLASS:
        return "label"
    if DATE.fullmatch(text.strip(" .,")):
        return "date"
    if _NUMBER.fullmatch(text):
        return "number"
    return "name" if any(letter.isupper() for letter in text) else "text"


def may_mean_the_same(one: str, other: str) -> bool:
    """Whether two answers may mean the same; True in doubt.

    Case, accents, punctuation, articles and the endings of ordinals are ignored. Returns True

    - if one answer has all the words of the other, in any order;
    - if each answer has exactly one number, and both numbers are equal;
    - if both answers are equal without spaces;
    - if neither has digits, and one, without spaces, is a substring of the other, without spaces.
    """
    a, b = _words(one), _words(other)
    if set(a) <= set(b) or set(b) <= set(a):
        return True
    if (number := _value(one)) is not None and number == _value(other):
        return True
    letters, others = "".join(a), "".join(b)
    if any(letter.isdigit() for letter in letters + others):
        return letters == others
    return letters in others or others in letters


def _words(text: str) -> list[str]:
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter)
    )
    return [word for word in _WORD.findall(_ORDINAL.sub("", plain)) if word not in _ARTICLES]


def _value(text: str) -> float | None:
    """Returns the value of the only number of a text; None for a text with no number or several."""
    numbers = _DIGITS.findall(unicodedata.normalize("NFKC", text))
    try:
        return float(numbers[0].replace(",", "")) if len(numbers) == 1 else None
    except ValueError:  # 1.2.3
        return None
