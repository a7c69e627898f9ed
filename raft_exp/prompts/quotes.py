"""Finds quotes in passages. Scores, reports, `ask` and `serve` use the same comparison.

A quote is verbatim if one passage contains its words in the same order, as whole words. Letters, digits and the signs
in `_SIGN` must be equal. Ignored are white space, punctuation, kinds of quotation marks and dashes, hyphens (also at a
line break), invisible characters, Unicode variants of a character (NFKC), Markdown emphasis, the case of the first
letter, and a title or number of the passage before the quote. `A ... B` is verbatim if one passage contains A and,
after it, B.

A quote of fewer than `min_words` words is never verbatim, because every passage contains "the". In scripts without
spaces between words (Chinese, Japanese, Thai ...), each character counts as a word.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MIN_WORDS = 3
Span = tuple[int, int]  # characters of a text: start, end

_PART_WORDS = 2  # fewest words of a part between ellipses
_ATTEMPTS = 1000  # maximum number of occurrences to check, to bound the time in repetitive text
# Scripts without spaces between words, and marks that are part of a letter.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_MARKS = "\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
_WORD = re.compile(rf"[{_UNSPACED}]|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+")
_SIGN = "%‰<>=≤≥≠±+$€£¥"
_LETTERS = rf"(?:(?!\d)[^\W_{_UNSPACED}]|[{_MARKS}])+"
_TOKEN = re.compile(rf"\d+(?:[.,]\d+)*|[{_UNSPACED}]|{_LETTERS}|[{_SIGN}]|(?<![\w)])[-−–](?=\d)")
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_ELLIPSIS = re.compile(r"[\[(]\s?(?:\.{3,}|…)\s?[\])]|\.{3,}|…+|\.\s\.\s\.")
_SOURCE = (  # names of passages, also those of the headings in other languages (prompt.language)
    r"(?:passage|document|doc|context|source|text|article|excerpt|paragraph|title|pasaje|段落|文章|المقطع|अनुच्छेद)"
)
_NUMBERED = re.compile(rf"[\W_]{{0,5}}(?:{_SOURCE}\s?#?\d{{0,4}}\s?[:\]).-]|\[\d{{1,4}}\]|\d{{1,3}}[.)]\s)", re.I)
_REFERENCE = re.compile(rf"[\[(]\s?(?:{_SOURCE}\s?)?#?\d{{1,4}}\s?[\])][\W_]{{0,5}}\Z", re.I)


def find(quote: str, text: str, title: str = "", min_words: int = MIN_WORDS) -> list[Span]:
    """Returns the position of a quote in the text of a passage: one span for each part between ellipses.

    Returns [] if the quote is not verbatim. `title`: title of the passage, which may precede the quote.
    """
    return next(occurrences(quote, text, title, min_words), [])


def occurrences(quote: str, text: str, title: str = "", min_words: int = MIN_WORDS) -> Iterator[list[Span]]:
    """Yields all positions of a quote, each in the form of `find`; with an ellipsis, only the first position."""
    passage = _folded(text)
    for wanted in _without_source(quote, title):
        if len(_WORD.findall(wanted)) < min_words:
            continue
        found = False
        for span in passage.places(_folded(wanted), 0):
            found = True
            yield [_with_marks(passage.original(span), text, wanted.strip())]
        if not found and (spans := _in_parts(wanted, passage)):
            found = True
            yield [passage.original(span) for span in spans]
        if found:
            return


def _with_marks(span: Span, text: str, quote: str) -> Span:
    """Extends a span by the characters before and after it that equal the first and the last character of the quote.

    Such characters are punctuation marks, which are not part of words.
    """
    start, end = span
    return start - (text[start - 1 : start] == quote[0] and start > 0), end + (text[end : end + 1] == quote[-1])


def stands_exactly(quote: str, text: str) -> bool:
    """Whether a text contains a quote exactly, except for white space. This checks targets of training rows."""
    return " ".join(quote.split()) in " ".join(text.split())


def _without_source(quote: str, title: str) -> Iterator[str]:
    """Yields the quote as it is, then without the title or number of a passage before and after it."""
    yield quote
    bare = _REFERENCE.sub("", quote)
    while numbered := _NUMBERED.match(bare):
        bare = bare[numbered.end() :]
    name, folded = _folded(title), _folded(bare)
    if name.letters and folded.letters.casefold().startswith(name.letters.casefold()):
        end = len(name.letters)
        if end in folded.ends:
            yield bare[folded.original((0, end))[1] :]
    if bare != quote:
        yield bare


def _in_parts(quote: str, passage: "_Folded") -> list[Span]:
    """Returns the spans of the parts of a quote between ellipses, in order; [] if a part is missing or too short."""
    parts = [part for part in _ELLIPSIS.split(quote) if _WORD.search(part)]
    if len(parts) == 1 and parts[0] == quote:
        return []
    spans: list[Span] = []
    for part in parts:
        if len(parts) > 1 and len(_WORD.findall(part)) < _PART_WORDS:
            return []
        span = next(passage.places(_folded(part), spans[-1][1] if spans else 0), None)
        if span is None:
            return []
        spans.append(span)
    return spans


@dataclass(frozen=True)
class _Folded:
    """A text reduced to its letters, digits and signs, without gaps. Only two numbers are separated by a space."""

    letters: str
    starts: list[int]  # of the words, in `letters`
    ends: list[int]
    spans: list[Span]  # of the words, in the original text

    def places(self, quote: "_Folded", start: int) -> Iterator[Span]:
        """Yields the spans in `letters`, from position `start` on, that equal the quote and consist of whole words."""
        wanted = [quote.letters, *_other_case(quote.letters)] if quote.letters else []
        for letters in wanted:
            found, place = False, start
            for _ in range(_ATTEMPTS):
                place = self.letters.find(letters, place)
                if place < 0:
                    break
                first, end = bisect_left(self.starts, place), place + len(letters)
                whole = first < len(self.starts) and self.starts[first] == place and self._ends_at(end)
                if whole:
                    found = True
                    yield place, end
                following = bisect_right(self.starts, place)
                if following == len(self.starts):
                    break
                place = self.starts[following]
            if found:
                return

    def original(self, span: Span) -> Span:
        """Converts a span of whole words in `letters` to a span of the original text."""
        first = bisect_left(self.starts, span[0])
        last = bisect_left(self.ends, span[1])
        return self.spans[first][0], self.spans[last][1]

    def _ends_at(self, place: int) -> bool:
        index = bisect_left(self.ends, place)
        return index < len(self.ends) and self.ends[index] == place


def _other_case(letters: str) -> list[str]:
    """Returns the letters with the case of the first letter changed, as a list; [] if the letter has no case."""
    other = letters[0].swapcase()
    return [other + letters[1:]] if len(other) == 1 and other != letters[0] else []


@lru_cache(4096)
def _folded(text: str) -> _Folded:
    plain, places = _plain(text)
    pieces: list[str] = []
    starts, ends, spans = [], [], []
    length, last = 0, ""
    for match in _TOKEN.finditer(plain):
        word = "-" if match[0] in "-−–" else match[0]
        if last.isdigit() and word[0].isdigit():
            pieces.append(" ")
            length += 1
        starts.append(length)
        pieces.append(word)
        length += len(word)
        ends.append(length)
        last = word[-1]
        start, end = match.span()
        spans.append((start, end) if places is None else (places[start][0], places[end - 1][1]))
    return _Folded("".join(pieces), starts, ends, spans)


def _plain(text: str) -> tuple[str, list[Span] | None]:
    """Returns the text in NFKC without invisible characters, and the span of each character in the original text.

    The spans are None if the text is unchanged.
    """
    if unicodedata.is_normalized("NFKC", text) and not _INVISIBLE.search(text):
        return text, None
    characters: list[str] = []
    places: list[Span] = []
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and _joins(text[end]):
            end += 1
        for character in unicodedata.normalize("NFKC", _INVISIBLE.sub("", text[start:end])):
            characters.append(character)
            places.append((start, end))
        start = end
    return "".join(characters), places


def _joins(character: str) -> bool:
    """Whether NFKC may compose a character with the previous one: combining marks, and letters of Hangul syllables."""
    return bool(unicodedata.combining(character)) or "\u1160" <= character <= "\u11ff"
