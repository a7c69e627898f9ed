"""Cuts documents into passages of whole sentences: up to `size` tokens, of which the next repeats up to `overlap`.

**Tokens** are counted without a model, so that one collection serves every model: a run of letters and digits counts
one for each six bytes of UTF-8 (rounded up), any other character one, white space none. "Retrieval is hard." has
2 + 1 + 1 + 1 tokens. The count of English prose is 5 to 20% above that of BERT's WordPiece.

A passage may run across pages, paragraphs, rows and records, which its place names ("pages 3-4"), but never out of a
section or a slide. Rows and records are cut only where one is longer than `size`.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, groupby, pairwise

from pydantic import model_validator

from raft_exp.core.schema import Count, Positive, config_dataclass
from raft_exp.corpora.readers.documents.document import Part
from raft_exp.corpora.sentences import sentences_of

VERSION = 1  # raised when the same parts give other passages

_BETWEEN = {
    "page": "\n",
    "paragraph": "\n\n",
    "row": "\n",
    "record": "\n\n",
}  # kinds of parts that are joined, and the separator
_WHOLE = ("row", "record")
_BYTES = 6
_PIECES = re.compile(r"\w+|[^\w\s]")
_ASCII_PIECES = re.compile(r"\w{1,6}|[^\w\s]", re.ASCII)  # the same count for ASCII
_WORD_ENDS = re.compile(r"(?<=\S)\s")


@config_dataclass
class ChunkConfig:
    """Lengths of passages, in tokens as counted here."""

    size: Positive
    overlap: Count

    @model_validator(mode="after")
    def _overlap_is_less_than_size(self) -> "ChunkConfig":
        if self.overlap >= self.size:
            raise ValueError(
                f"corpus.chunk.overlap: got {self.overlap}; must be less than corpus.chunk.size={self.size}"
            )
        return self


@dataclass(frozen=True)
class Chunk:
    """A passage and its offsets in its flow: text[start:end], where text[start:fresh] repeats the chunk before."""

    text: str
    sentences: list[str]
    place: str
    start: int
    fresh: int
    end: int


@dataclass(frozen=True)
class Flow:
    """Parts that a passage may run across, joined to one text."""

    text: str
    parts: list[Part]
    starts: list[int]  # offset of each part in the text

    @classmethod
    def of(cls, parts: list[Part]) -> "Flow":
        """Joins parts of one kind; the separator belongs to the part after it."""
        between = _BETWEEN.get(parts[0].kind, "")
        texts = [part.text.rstrip() for part in parts]
        pieces = [texts[0], *(between + text for text in texts[1:])]
        return cls("".join(pieces), parts, list(accumulate(map(len, pieces[:-1]), initial=0)))

    def sentences(self) -> list[int]:
        """Offsets of the sentences, ascending, and the end of the text. No sentence runs across rows or records."""
        ends = [*self.starts[1:], len(self.text)]
        spans = zip(self.starts, ends, strict=True) if self.parts[0].kind in _WHOLE else [(0, len(self.text))]
        starts = (accumulate(map(len, sentences_of(self.text[a:b])[:-1]), initial=a) for a, b in spans)
        return [*chain.from_iterable(starts), len(self.text)]

    def place(self, start: int, end: int) -> str:
        """The parts between two offsets, as a citation: "page 3", "pages 3-4"."""
        first, last = (self.parts[bisect_right(self.starts, offset) - 1] for offset in (start, end - 1))
        if first == last or not first.kind:
            return f"{first.kind} {first.label}".strip()
        return f"{first.kind}s {first.label}-{last.label}"


def tokens(text: str) -> int:
    """The length of a text in tokens (see the module's docstring)."""
    if text.isascii():
        return len(_ASCII_PIECES.findall(text))
    return sum(-(-len(piece.encode("utf-8", "surrogatepass")) // _BYTES) for piece in _PIECES.findall(text))


def flows(parts: Sequence[Part]) -> Iterator[Flow]:
    """The flows of a document in its order: runs of parts of a kind that is joined, other parts one by one."""
    for (kind, _), group in groupby(parts, key=lambda part: (part.kind, part.flow)):
        run = list(group)
        for joined in [run] if kind in _BETWEEN else [[part] for part in run]:
            yield Flow.of(joined)


def chunks(parts: Sequence[Part], size: int, overlap: int) -> Iterator[Chunk]:
    """The passages of a document in its order; each has 1 to `size` tokens."""
    return chain.from_iterable(cut(flow, size, overlap) for flow in flows(parts))


def cut(flow: Flow, size: int, overlap: int) -> Iterator[Chunk]:
    """The passages of a flow."""
    sentences = flow.sentences()
    units = list(_units(flow, sentences, size))
    counts = [tokens(flow.text[start:end]) for start, end in units]
    for first, fresh, last in _packed(counts, size, overlap):
        yield from _chunk(flow, sentences, units[first][0], units[fresh][0], units[last - 1][1])


def _chunk(flow: Flow, sentences: list[int], start: int, fresh: int, end: int) -> Iterator[Chunk]:
    untrimmed = flow.text[start:end]
    text = untrimmed.strip()
    if text:
        begin = start + untrimmed.index(text)
        stop = begin + len(text)
        inner = sentences[bisect_right(sentences, begin) : bisect_right(sentences, stop - 1)]
        marks = [begin, *inner, stop]
        pieces = [flow.text[a:b] for a, b in pairwise(marks)]
        yield Chunk(text, pieces, flow.place(begin, stop), start, fresh, end)


def _packed(counts: list[int], size: int, overlap: int) -> Iterator[tuple[int, int, int]]:
    """Packs units into chunks; yields (first unit, first unit that is not in the chunk before, end) of each."""
    first = fresh = total = 0
    for place, count in enumerate(counts):
        if total + count > size and place > fresh:
            yield first, fresh, place
            first, fresh, total = place, place, 0
            while first and total + counts[first - 1] <= min(overlap, size - count):
                first -= 1
                total += counts[first]
        total += count
    if counts:
        yield first, fresh, len(counts)


def _units(flow: Flow, sentences: list[int], size: int) -> Iterator[tuple[int, int]]:
    """Offsets of the units of packing: rows or sentences; words where one exceeds `size`; else pieces of words."""
    if flow.parts[0].kind not in _WHOLE:
        yield from _fitting(flow.text, pairwise(sentences), size)
        return
    for start, end in pairwise([*flow.starts, len(flow.text)]):
        if tokens(flow.text[start:end]) <= size:
            yield start, end
        else:
            inner = sentences[bisect_right(sentences, start) - 1 : bisect_right(sentences, end - 1)]
            yield from _fitting(flow.text, pairwise([*inner, end]), size)


def _fitting(text: str, spans: Iterator[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    for start, end in spans:
        if tokens(text[start:end]) <= size:
            yield start, end
            continue
        words = [start, *(match.start() for match in _WORD_ENDS.finditer(text, start, end)), end]
        for first, last in pairwise(dict.fromkeys(words)):
            yield from _broken(text, first, last, size)


def _broken(text: str, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Cuts a word that is longer than `size`; no cut separates a combining character from its base."""
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
