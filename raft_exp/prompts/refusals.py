"""Recognises replies that decline to answer.

A reply is split into sentences, and these are split at words such as "but" and "so". A reply declines in two cases. It
begins with the study's own sentence (`prompt.refusal`) or with a pattern of `refusal_patterns`, and no answer follows.
Or it begins with a longer text, such as a summary of the passages, and ends with a refusal such as "I cannot answer".
"No" alone is an answer, and a title ("No Country for Old Men") is an answer too. The reference answer is never used.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from raft_exp.core.text import plain_words
from raft_exp.core.words import count
from raft_exp.prompts import not_told
from raft_exp.prompts import refusal_patterns as patterns

Role = Literal["strong", "weak", "filler", "description", "answer"]

_STRONG = re.compile("|".join(patterns.STRONG))
_WEAK = re.compile("|".join(patterns.WEAK))
_WHOLE = re.compile(rf"(?:{patterns.WHOLE})")
_FILLER = re.compile(rf"(?:{patterns.FILLER})")
_DESCRIPTION = re.compile(patterns.DESCRIPTION)

_LONGEST = 400  # characters of a piece that are compared with the patterns
_PIECES = 60  # number of sentences that are read at the start and at the end of a reply
_SENTENCES = re.compile(r"(?<=[.!?])[\"'”’)*]{0,3}\s+|[。！？।؟۔]|\n+|;\s")
_TURNS = re.compile(
    r"(?:,?\s+|\s*[—–]\s*|^)(?=(?:but|however|nevertheless|nonetheless|though|yet|so|therefore|thus|hence|"
    r"still)\b(?! far| called))"
    r"|,\s+(?=(?:and|my|the answer|it is|it's|probably|likely|i |he|she)\b)",
    re.I,
)
_SUBORDINATE = re.compile(r"\W*(?:although|though|while|even though|whereas)\s[^,\n]{1,200},\s+(?=\S)", re.I)
_LABEL = re.compile(r"\W*(?:yes|no|maybe)\s*[,.:;!)*\"]", re.I)
_NOT_APPLICABLE = re.compile(r"\W*(?:[nN]\s?[/.]\s?[aA]\b|NA)\W*(?:\(.{0,100}\)\W*)?")
_SMALL = frozenset(["the", "and", "for", "not", "but", "nor", "with", "from"])  # words without a capital in titles
_QUOTATION = re.compile(r"(?<=\w\s)(?:\"[^\"\n]{1,100}\"|“[^”\n]{1,100}”)")
_SHORT_FORMS = (
    (re.compile(r"\b(?:cannot|cant|can t)\b"), "can not"),
    (re.compile(r"\bwon t\b"), "will not"),
    (re.compile(r"\b(do|does|did|is|are|was|were|could|would|has|have|had)n ?t\b"), r"\1 not"),
    (re.compile(r"\b(i|we|you|they)(?: ve|ve)\b"), r"\1 have"),
    (re.compile(r"\b(it|that|there|he|she) s\b"), r"\1 is"),
    (re.compile(r"\b(they|we|you) re\b"), r"\1 are"),
    (re.compile(r"\bi m\b"), "i am"),
)


@dataclass(frozen=True)
class _Piece:
    text: str
    role: Role


def abstained(answer: str, refusal: str, question: str = "") -> bool:
    """Whether an answer, or a whole reply, declines to answer.

    `refusal`: the study's own sentence (`prompt.refusal`), "" for none. `question`: if given, `not_told` also finds
    refusals in the words of the question, such as "the builder is not named" for "who built the mill?".
    """
    own, words = plain_words(refusal), plain_words(answer)
    if own and (words == own or words.startswith(f"{own} ")):
        return not patterns.GUESS.search(words[len(own) : len(own) + _LONGEST])
    return _declines(list(_pieces(answer, question)), question)


def without_refusals(reply: str, question: str = "") -> str:
    """Returns the parts of a reply that may contain an answer; "" if the reply declines.

    A reply without refusals is returned unchanged.
    """
    pieces = list(_pieces(reply, question))
    if all(piece.role == "answer" for piece in pieces):
        return reply
    if _declines(pieces, question):
        return ""
    if not any(piece.role in ("strong", "weak") for piece in pieces):
        return reply
    return "\n".join(piece.text for piece in pieces if piece.role in ("answer", "description"))


def _declines(pieces: list[_Piece], question: str) -> bool:
    said = [piece for piece in pieces if piece.role != "filler"]
    places = [place for place, piece in enumerate(said) if piece.role in ("strong", "weak")]
    if not places:
        return False
    first, last = places[0], places[-1]
    before = [piece for piece in said[:first] if piece.role == "answer"]
    after = [piece for piece in said[first + 1 :] if piece.role == "answer"]
    if before:  # "Paris. The passages do not say when." has an answer; "... Therefore, I cannot answer." has none
        if last < len(said) - 1 or _is_short(before[0].text):
            return False
        return said[last].role == "strong" or not_told.speaks_of(_plain(said[last].text), question)
    if any(piece.role == "strong" for piece in said):
        return not any(_introduced(piece.text) for piece in after)
    return not after


def _introduced(text: str) -> bool:
    """Whether a piece after a refusal is an answer: at most four words, a label at the start, or words of a guess."""
    return bool(patterns.GUESS.search(plain_words(text[:_LONGEST]))) or _is_short(text) or bool(_LABEL.match(text))


def _is_short(text: str) -> bool:
    return 0 < count(text) <= 4


def _pieces(reply: str, question: str) -> Iterator[_Piece]:
    sentences = [sentence for sentence in _SENTENCES.split(reply.strip()) if sentence.strip()]
    if len(sentences) > 2 * _PIECES:
        sentences = sentences[:_PIECES] + sentences[-_PIECES:]
    for sentence in sentences:
        main = _SUBORDINATE.match(sentence[:_LONGEST])
        if main:
            yield _Piece(sentence[: main.end()], "weak" if _is_refusal(sentence[: main.end()], question) else "filler")
            sentence = sentence[main.end() :]
        for text in _clauses(sentence, question):
            yield _Piece(text, _role(text, question))


def _clauses(sentence: str, question: str) -> list[str]:
    """Splits a sentence into clauses at words such as "but" and "so".

    Returns the whole sentence if no clause declines, or if the sentence as a whole does.
    """
    if len(sentence) < _LONGEST and not _LABEL.match(sentence) and not_told.says_nothing(_plain(sentence), question):
        return [sentence]
    parts = [part for part in _TURNS.split(sentence[: 4 * _LONGEST]) if part and part.strip()]
    clauses: list[str] = []
    lead = ""
    for part in parts:
        if patterns.LEAD.fullmatch(_plain(part) + " "):  # "From the passages," belongs to the clause after it
            lead += part + ", "
        else:
            clauses.append(lead + part)
            lead = ""
    return clauses if len(clauses) > 1 and any(_is_refusal(part, question) for part in clauses) else [sentence]


def _role(text: str, question: str) -> Role:
    if _LABEL.match(text):
        return "answer"
    words = _plain(text)
    if kind := _refusal(text, words, question):
        return kind
    if _FILLER.fullmatch(words):
        return "filler"
    return "description" if _DESCRIPTION.match(words) else "answer"


def _is_refusal(text: str, question: str) -> bool:
    return _refusal(text, _plain(text), question) is not None


def _refusal(text: str, words: str, question: str) -> Literal["strong", "weak"] | None:
    if len(text) < 200 and patterns.OTHER_LANGUAGES.search(text):
        return "strong"
    if _NOT_APPLICABLE.fullmatch(text):
        return "strong"
    for _ in range(4):  # "Sorry, based on the passages it seems that I cannot ..."
        if _WHOLE.fullmatch(words):
            return "strong"
        if match := _STRONG.match(words):
            return None if _is_title(text, words, match.end()) else "strong"
        if match := _WEAK.match(words):
            return None if _is_title(text, words, match.end()) else "weak"
        if not_told.says_nothing(words, question):
            return None if _is_title(text, words, 0) else "weak"
        lead = patterns.LEAD.match(words)
        if not lead:
            return None
        words = words[lead.end() :]
    return None


def _is_title(text: str, words: str, matched: int) -> bool:
    """Whether a text that begins like a refusal is a title: all its long words begin with a capital.

    `matched`: number of characters of `words` that the pattern of the refusal matched; a title has more words.
    """
    names = [name for name in re.findall(r"[^\W\d_]{3,}", text) if name.lower() not in _SMALL]
    capitals = sum(name[0].isupper() for name in names)
    more = matched < len(words) or words.endswith(" knows")
    return len(names) > 1 and capitals == len(names) and more and not text.rstrip().endswith(".")


def _plain(text: str) -> str:
    words = plain_words(_QUOTATION.sub(" quotation ", text[:_LONGEST]))
    for pattern, form in _SHORT_FORMS:
        words = pattern.sub(form, words)
    return words
