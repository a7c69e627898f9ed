"""The units that passages are packed from: paragraphs, rows and sentences.

A unit that is too long is cut into lines, sentences, words or pieces of words.

**Tokens** are counted without a model, so that one collection serves every model. A run of letters and digits counts
one token per six bytes of UTF-8 (rounded up), any other character one, white space none. "Retrieval is hard." has 2 + 1
+ 1 + 1 tokens. The count of English prose is 5 to 20% above that of BERT's WordPiece.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

from raft_exp.corpora.sentences import sentences_of

Span = tuple[int, int]  # offsets in a text: start, end
_Way = Callable[[str, int, int], list[int]]  # (text, start, end) -> offsets of parts of text[start:end]

_BYTES = 6
_PIECES = re.compile(r"\w+|[^\w\s]")
_ASCII_PIECES = re.compile(r"\w{1,6}|[^\w\s]", re.ASCII)  # the same count for ASCII
_WORD_ENDS = re.compile(r"(?<=\S)\s")
_LINE_ENDS = re.compile(r"\n(?=[^\n])")
_PARAGRAPHS = re.compile(r"\n\n+")
_ROW = re.compile(  # rows as the readers' tables.py writes them, items of lists, and indented lines
    r"[^\n]{0,2000}? \| |[^\n:;]{1,80}: [^\n;]{1,2000}; [^\n:;]{1,80}: |[-•–*] |(?: {2,}|\t)\S"
)


def tokens(text: str) -> int:
    """Returns the length of a text in tokens (defined in the module's docstring)."""
    if text.isascii():
        return len(_ASCII_PIECES.findall(text))
    return sum(-(-len(piece.encode("utf-8", "surrogatepass")) // _BYTES) for piece in _PIECES.findall(text))


def sentences(text: str, start: int, end: int) -> Iterator[int]:
    """Yields the start offsets of sentences in text[start:end]. A table row, list item or code line is a sentence."""
    for first, last, is_row in _blocks(text, start, end):
        place = first
        for sentence in [text[first:last]] if is_row else sentences_of(text[first:last]):
            yield place
            place += len(sentence)


def paragraphs(text: str) -> Iterator[int]:
    """Yields the start offsets of paragraphs.

    A first paragraph of one line may be a heading, so it is joined with the next paragraph.
    """
    yield 0
    for number, found in enumerate(_PARAGRAPHS.finditer(text)):
        if number or "\n" in text[: found.start()].strip():
            yield found.start()


def fitting(text: str, spans: Iterable[Span], size: int) -> Iterator[Span]:
    """Yields the spans, cut so that each has at most `size` tokens.

    A longer span is cut at line ends, then at sentence ends, then between words, then inside words.
    """
    for start, end in spans:
        yield from _cut(text, start, end, size, (_lines, _sentences, _words))


def _cut(text: str, start: int, end: int, size: int, ways: Sequence[_Way]) -> Iterator[Span]:
    """Yields the span if it fits, else its parts, cut by the first of `ways` that splits it."""
    if tokens(text[start:end]) <= size:
        yield start, end
    elif not ways:
        yield from _broken(text, start, end, size)
    else:
        for first, last in pairwise(dict.fromkeys([start, *ways[0](text, start, end), end])):
            yield from _cut(text, first, last, size, ways[1:])


def _lines(text: str, start: int, end: int) -> list[int]:
    return [found.start() for found in _LINE_ENDS.finditer(text, start, end) if found.start() > start]


def _sentences(text: str, start: int, end: int) -> list[int]:
    return list(accumulate(map(len, sentences_of(text[start:end])[:-1]), initial=start))


def _words(text: str, start: int, end: int) -> list[int]:
    return [found.start() for found in _WORD_ENDS.finditer(text, start, end)]


def _blocks(text: str, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Yields (start, end, True) for each table row or line of code, and (start, end, False) for the text between."""
    first = start
    for line, following in pairwise([start, *_lines(text, start, end), end]):
        if _ROW.match(text, line + (text[line : line + 1] == "\n"), end):
            if first < line:
                yield first, line, False
            yield line, following, True
            first = following
    if first < end or start == end:
        yield first, end, False


def _broken(text: str, start: int, end: int, size: int) -> Iterator[Span]:
    """Yields spans of a word, each with at most `size` tokens. No cut separates a combining character from its base."""
    while start < end:
        stop = min(end, start + size * _BYTES)
        while tokens(text[start:stop]) > size:
            stop -= max(1, (stop - start) // 4)
        boundary = stop
        while start + 1 < boundary < end and _combines(text[boundary - 1], text[boundary]):
            boundary -= 1
        stop = boundary if boundary > start + 1 else stop
        yield start, stop
        start = stop


def _combines(first: str, second: str) -> bool:
    """Whether two characters form one grapheme."""
    joined = "\u200d" in (first, second) or "\ufe00" <= second <= "\ufe0f" or "\U0001f3fb" <= second <= "\U0001f3ff"
    return joined or first == "\r" or unicodedata.category(second)[0] == "M"
