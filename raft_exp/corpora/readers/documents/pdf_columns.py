"""Reads a PDF page column by column, if its content lists lines across the columns.

pdfium returns text in the order of the content. Most programs write columns one after the other; some write the first
line of both columns, then the second. Tables are written like this too, and are left unchanged. Columns of running text
are recognised by many lines, most of them as long as the column is wide.
"""

import ctypes
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

_LINES = 6  # fewest lines of a column
_FULL = 0.75  # width of a line that fills its column, as a share of the column's width
_MOST = 0.6  # least share of lines that fill their column
_LONG = 8.0  # least width of a line of running text, in heights of letters
_ALTERNATE = 0.5  # least share of neighbours in different columns
_GAP = 0.6  # least width of a gap between columns, in heights of letters; a blank is narrower
_SIGNED = 3  # characters after which a hyphen may divide a word


class Piece(NamedTuple):
    """A run of letters on one line, with its text.

    The box of the piece is in points from the lower left corner of the page, or in pixels (`ocr.py`). The y coordinates
    increase upwards.
    """

    left: float
    bottom: float
    right: float
    top: float
    text: str = ""

    @property
    def middle(self) -> float:
        """The vertical middle of the box."""
        return (self.bottom + self.top) / 2

    def on_line_of(self, other: "Piece") -> bool:
        """Whether both pieces are on the same line."""
        return other.bottom < self.middle < other.top or self.bottom < other.middle < self.top


def by_columns(letters: Any) -> str | None:
    """Returns the text of a page column by column, or None if the order of the content is right.

    The text has pdfium's mark for a hyphen at a line end. `letters`: pypdfium2's PdfTextPage.
    """
    pieces = list(_joined(_boxes(letters)))
    gutters = _gutters(pieces)
    if not gutters or not _alternates(pieces, gutters):
        return None
    return _joined_columns(list(_runs(letters, gutters)), gutters)


def in_order(pieces: Sequence[Piece]) -> str:
    """Returns the text of a page from pieces in any order: line by line, one column after the other."""
    return _joined_columns(pieces, _gutters(pieces))


def _joined_columns(pieces: Sequence[Piece], gutters: Sequence[float]) -> str:
    return "\n".join(_text(_lines(column)) for column in _ordered(pieces, gutters))


def _boxes(letters: Any) -> Iterator[Piece]:
    for place in range(letters.count_rects()):
        left, bottom, right, top = letters.get_rect(place)
        if right > left and top > bottom:
            yield Piece(left, bottom, right, top)


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Yields the pieces, joined if one follows another on the same line at a distance of at most a space."""
    last: Piece | None = None
    for piece in pieces:
        if last and piece.on_line_of(last) and -1 < piece.left - last.right < _GAP * (last.top - last.bottom):
            bottom, top = min(last.bottom, piece.bottom), max(last.top, piece.top)
            last = Piece(last.left, bottom, max(last.right, piece.right), top)
            continue
        if last:
            yield last
        last = piece
    if last:
        yield last


def _gutters(pieces: Sequence[Piece]) -> list[float]:
    """Returns the x positions of the gaps between columns of text, from left to right; [] without columns."""
    if len(pieces) < 2 * _LINES:
        return []
    height = median(piece.top - piece.bottom for piece in pieces)
    edge = _best_edge(pieces)
    left = [piece for piece in pieces if piece.right <= edge + 1]
    right = [piece for piece in pieces if piece.left >= edge + 1]
    if min(len(left), len(right)) < _LINES:
        return []
    inner = [_gutters(side) for side in (left, right)]
    if not all(gutters or _is_column(side, height) for gutters, side in zip(inner, (left, right), strict=True)):
        return []
    return [*inner[0], (edge + min(piece.left for piece in right)) / 2, *inner[1]]


def _best_edge(pieces: Sequence[Piece]) -> float:
    """Returns the right edge that separates the pieces best.

    The score is the number of pieces on the smaller side, minus the pieces that cross the edge.
    """
    lefts, rights = sorted(piece.left for piece in pieces), sorted(piece.right for piece in pieces)

    def score(edge: float) -> int:
        before, after = bisect_right(rights, edge + 1), len(lefts) - bisect_left(lefts, edge + 1)
        return min(before, after) - (len(pieces) - before - after)

    return max(sorted({round(edge) for edge in rights}), key=score)


def _is_column(pieces: Sequence[Piece], height: float) -> bool:
    """Whether the pieces are lines of running text of the same width."""
    if len(pieces) < _LINES:
        return False
    width = max(piece.right for piece in pieces) - min(piece.left for piece in pieces)
    widths = [piece.right - piece.left for piece in pieces]
    return median(widths) >= _LONG * height and sum(w >= _FULL * width for w in widths) >= _MOST * len(widths)


def _side(piece: Piece, gutters: Sequence[float]) -> int | None:
    """Returns the index of a piece's column; None if it crosses a gutter."""
    if any(piece.left < gutter < piece.right for gutter in gutters):
        return None
    return sum(piece.left >= gutter for gutter in gutters)


def _alternates(pieces: Sequence[Piece], gutters: Sequence[float]) -> bool:
    """Whether the content changes the column line by line, or begins with a later column."""
    sides = [side for piece in pieces if (side := _side(piece, gutters)) is not None]
    changes = sum(first != second for first, second in pairwise(sides))
    backwards = changes == len(gutters) and sides[0] > sides[-1]
    return backwards or changes >= _ALTERNATE * (len(sides) - 1)


def _runs(letters: Any, gutters: Sequence[float]) -> Iterator[Piece]:
    """Yields the runs of letters of a page. A run ends at a line end or at a gutter."""
    import pypdfium2.raw as raw

    box = raw.FS_RECTF()
    text, edges = "", (0.0, 0.0, 0.0, 0.0)
    for place in range(letters.count_chars()):
        sign = chr(raw.FPDFText_GetUnicode(letters.raw, place))
        if not sign.isspace() and raw.FPDFText_GetLooseCharBox(letters.raw, place, ctypes.byref(box)):
            apart = box.left - edges[2] > _GAP * (box.top - box.bottom)
            across = apart and any(edges[2] <= gutter + 1 and box.left >= gutter - 1 for gutter in gutters)
            if text and (across or not edges[1] < (box.bottom + box.top) / 2 < edges[3]):
                yield Piece(*edges, text)
                text = ""
            new = (box.left, box.bottom, box.right, box.top)
            edges = (min(edges[0], new[0]), edges[1], max(edges[2], new[2]), edges[3]) if text else new
        elif not text:
            continue
        text += " " if sign in "\r\n" else sign
    if text:
        yield Piece(*edges, text)


def _ordered(runs: Sequence[Piece], gutters: Sequence[float]) -> Iterator[list[Piece]]:
    """Yields the columns from left to right. A line that crosses a gutter ends all columns and is yielded alone."""
    columns: list[list[Piece]] = [[] for _ in range(len(gutters) + 1)]
    for piece in sorted(runs, key=lambda piece: -piece.middle):
        side = _side(piece, gutters)
        if side is None:
            yield from filter(None, columns)
            yield [piece]
            columns = [[] for _ in columns]
        else:
            columns[side].append(piece)
    yield from filter(None, columns)


def _lines(column: Sequence[Piece]) -> list[str]:
    """Returns the lines of a column from top to bottom. Pieces on one line are joined by a space."""
    lines: list[list[Piece]] = []
    for piece in column:
        if lines and piece.on_line_of(lines[-1][0]):
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [
        " ".join(" ".join(piece.text for piece in sorted(line, key=lambda piece: piece.left)).split()) for line in lines
    ]


def _text(lines: Sequence[str]) -> str:
    """Joins the lines. A hyphen between letters at a line end is replaced by pdfium's mark."""
    text = ""
    for line in lines:
        if (
            len(text) > _SIGNED
            and text[-1] in "-\u00ad\u2010\u0002\ufffe"
            and text[-2].isalpha()
            and line[:1].islower()
        ):
            text = f"{text[:-1]}\ufffe{line}"
        else:
            text = f"{text}\n{line}" if text else line
    return text
