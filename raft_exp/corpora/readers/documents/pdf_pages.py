"""Mends the text of PDF pages: hyphens at line ends, ligatures, and headers and footers that repeat."""

import re
from collections import Counter
from collections.abc import Sequence

_HYPHENATED = re.compile("([^\\W\\d_]+)[\x02\ufffe]\n?([^\\W\\d_]+)")  # pdfium's mark of a hyphen at a line end
_MARK = re.compile("[\x02\ufffe]\n?")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ft", "ﬆ": "st"})
_DIGITS = re.compile(r"\d+")
_SHORTEST = 5  # lines of a page that has more than its header and footer
_PAGES = 3  # fewest pages on which a line must stand
_SHARE = 0.6  # least share of pages on which a line must stand


def joined(pages: Sequence[str]) -> list[str]:
    """The pages with words joined that are cut at a line end.

    The hyphen goes where the joined word stands elsewhere in the document; else it stays ("cross-border").
    """
    pages = [page.translate(_LIGATURES) for page in pages]
    words = {word.casefold() for page in pages for word in _WORD.findall(_HYPHENATED.sub(" ", page))}

    def mended(found: re.Match[str]) -> str:
        whole = found[1] + found[2]
        return whole if whole.casefold() in words else f"{found[1]}-{found[2]}"

    return [_MARK.sub("-", _HYPHENATED.sub(mended, page)) for page in pages]


def without_running_lines(pages: Sequence[str]) -> tuple[list[str], list[str]]:
    """The pages without headers and footers that repeat, and each of these once.

    The first and the last line of a page may differ in numbers (of pages), the second lines may not.
    """
    lines = [page.split("\n") for page in pages]
    edges = [_edges(page) for page in lines]
    counts = Counter(form for edge in edges for form in set(edge.values()))
    filled = sum(bool(edge) for edge in edges)
    repeated = {form for form, count in counts.items() if count >= _PAGES and count >= _SHARE * filled}
    removed = dict[str, str]()
    kept = []
    for page, edge in zip(lines, edges, strict=True):
        gone = [place for place, form in edge.items() if form in repeated]
        removed = {edge[place]: page[place].strip() for place in gone} | removed
        kept.append("\n".join(line for place, line in enumerate(page) if place not in gone))
    return kept, [line for form, line in removed.items() if any(map(str.isalpha, form))]


def _edges(lines: Sequence[str]) -> dict[int, str]:
    """The lines at the top and the bottom of a page by their place, in the form in which they are compared."""
    filled = [place for place, line in enumerate(lines) if line.strip()]
    if len(filled) < _SHORTEST:
        return {}
    outer = {place: _DIGITS.sub("#", " ".join(lines[place].split())) for place in (filled[0], filled[-1])}
    return outer | {place: " ".join(lines[place].split()) for place in (filled[1], filled[-2])}
