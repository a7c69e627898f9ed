"""Cuts documents into passages of whole units with at most `size` tokens (`units.py`).

A unit is a sentence, or with `by="sections"` a paragraph. Each passage repeats up to `overlap` tokens of the passage
before. A passage may span pages, paragraphs, rows and records, and its place names them ("pages 3-4"). It never spans
two sections or slides. A row or record is cut only if it is longer than `size`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, groupby, pairwise
from typing import Literal

from pydantic import model_validator

from raft_exp.core.schema import Count, KeyedWhenSet, Positive, config_dataclass
from raft_exp.corpora.documents.units import Span, fitting, paragraphs, sentences, tokens
from raft_exp.corpora.readers.documents.document import Part

VERSION = 4  # raised when the same parts give other passages

By = Literal["sentences", "sections", "semantic"]

_BETWEEN = {
    "page": "\n",
    "paragraph": "\n\n",
    "row": "\n",
    "record": "\n\n",
}  # kinds of parts that are joined, and the separator
_WHOLE = ("row", "record")


@config_dataclass
class ChunkConfig:
    """How documents are cut. Lengths are in tokens as counted in `units.py`."""

    size: Positive
    overlap: Count
    by: KeyedWhenSet[By] = "sentences"
    context: KeyedWhenSet[bool] = False  # a line "title > section" before the text of each passage
    near_copies: KeyedWhenSet[Literal["contained", "similar", "keep"]] = "contained"  # passages that are left out

    @model_validator(mode="after")
    def _overlap_is_less_than_size(self) -> "ChunkConfig":
        if self.overlap >= self.size:
            raise ValueError(
                f"corpus.chunk.overlap: got {self.overlap}; must be less than corpus.chunk.size={self.size}; set "
                f"corpus.chunk.overlap={self.size // 8}, or a larger corpus.chunk.size"
            )
        return self


@dataclass(frozen=True)
class Chunk:
    """A passage, cut from the text of a flow: `text` is flow.text[start:end] without white space at both ends.

    The part from `start` to `fresh` repeats the end of the chunk before.
    """

    text: str
    sentences: list[str]
    place: str
    start: int
    fresh: int
    end: int


@dataclass(frozen=True)
class Flow:
    """Parts of a document that a passage may span, joined to one text."""

    text: str
    parts: list[Part]
    starts: list[int]  # offset of each part in the text

    @classmethod
    def of(cls, parts: list[Part]) -> "Flow":
        """Joins parts of one kind to one text. The offset of a part in `starts` is that of the separator before it."""
        between = _BETWEEN.get(parts[0].kind, "")
        texts = [part.text.rstrip() for part in parts]
        pieces = [texts[0], *(between + text for text in texts[1:])]
        return cls("".join(pieces), parts, list(accumulate(map(len, pieces[:-1]), initial=0)))

    @property
    def is_rows(self) -> bool:
        """Whether the parts are rows or records. Then no sentence spans two parts."""
        return self.parts[0].kind in _WHOLE

    def sentences(self) -> list[int]:
        """Returns the start offsets of the sentences, ascending, and the end of the text.

        No sentence spans two rows or records.
        """
        spans = pairwise([*self.starts, len(self.text)]) if self.is_rows else [(0, len(self.text))]
        return [*chain.from_iterable(sentences(self.text, *span) for span in spans), len(self.text)]

    def place(self, start: int, end: int) -> str:
        """Returns the parts between two offsets as a citation: "page 3", "pages 3-4"; "" for parts without a kind."""
        first, last = (self.parts[bisect_right(self.starts, offset) - 1] for offset in (start, end - 1))
        if first == last or not first.kind:
            return f"{first.kind} {first.label}".strip()
        return f"{first.kind}s {first.label}-{last.label}"


def flows(parts: Sequence[Part]) -> Iterator[Flow]:
    """Yields the flows of a document in order: runs of parts that a passage may span, and other parts one by one."""
    for (kind, _), group in groupby(parts, key=lambda part: (part.kind, part.flow)):
        run = list(group)
        for joined in [run] if kind in _BETWEEN else [[part] for part in run]:
            yield Flow.of(joined)


def chunks(parts: Sequence[Part], size: int, overlap: int, by: By = "sentences") -> Iterator[Chunk]:
    """Yields the passages of a document in order.

    Each has 1 to `size` tokens, of which up to `overlap` repeat the end of the passage before. `by="sections"` packs
    paragraphs, other values pack sentences. Rows and records are packed whole with every value.
    """
    return chain.from_iterable(cut(flow, size, overlap, by) for flow in flows(parts))


def cut(flow: Flow, size: int, overlap: int, by: By = "sentences") -> Iterator[Chunk]:
    """Yields the passages of one flow, with the arguments of `chunks`."""
    starts = flow.sentences()
    wholes = [*flow.starts, len(flow.text)] if flow.is_rows else starts
    if by == "sections" and not flow.is_rows:
        wholes = [*paragraphs(flow.text), len(flow.text)]
    yield from packed(flow, starts, _units(flow.text, wholes, starts, size), size, overlap)


def packed(flow: Flow, starts: list[int], units: Iterable[Span], size: int, overlap: int) -> Iterator[Chunk]:
    """Packs units of a flow into passages. `starts`: the offsets of the flow's sentences and of its end."""
    spans = list(units)
    counts = [tokens(flow.text[start:end]) for start, end in spans]
    for first, fresh, last in _packed(counts, size, overlap):
        yield from _chunk(flow, starts, spans[first][0], spans[fresh][0], spans[last - 1][1])


def _chunk(flow: Flow, starts: list[int], start: int, fresh: int, end: int) -> Iterator[Chunk]:
    untrimmed = flow.text[start:end]
    text = untrimmed.strip()
    if text:
        begin = start + untrimmed.index(text)
        stop = begin + len(text)
        inner = starts[bisect_right(starts, begin) : bisect_right(starts, stop - 1)]
        marks = [begin, *inner, stop]
        pieces = [flow.text[a:b] for a, b in pairwise(marks)]
        yield Chunk(text, pieces, flow.place(begin, stop), start, fresh, end)


def _packed(counts: list[int], size: int, overlap: int) -> Iterator[tuple[int, int, int]]:
    """Packs units with these token counts into chunks.

    Yields (first unit, first unit that is not in the chunk before, end) for each chunk; `end` is exclusive.
    """
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


def _units(text: str, wholes: list[int], starts: list[int], size: int) -> Iterator[Span]:
    """Yields the units to pack: rows, paragraphs or sentences, whose offsets are `wholes`.

    A unit that exceeds `size` tokens is replaced by its sentences, and a longer sentence by parts (`fitting`).
    """
    for start, end in pairwise(wholes):
        if tokens(text[start:end]) <= size:
            yield start, end
        else:
            inner = starts[bisect_right(starts, start) : bisect_right(starts, end - 1)]
            yield from fitting(text, pairwise([start, *inner, end]), size)
