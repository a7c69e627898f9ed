"""Repairs the text of PDF pages: hyphens at line ends, ligatures, and repeated headers and footers."""

import re
from collections import defaultdict
from collections.abc import Sequence

_HYPHENATED = re.compile("([^\\W\\d_]+)[\x02\ufffe]\n?([^\\W\\d_]+)")  # pdfium's mark of a hyphen at a line end
_MARK = re.compile("[\x02\ufffe]\n?")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ft", "ﬆ": "st"})
_NUMBER = re.compile(r"(?<!\d)[0-9]{1,5}(?!\d)")
_SHORTEST = 5  # lines of a page that has more than its header and footer
_PAGES = 3  # fewest pages on which a line must stand
_SHARE = 0.6  # least share of pages between the first and the last on which a line must stand


def joined(pages: Sequence[str]) -> list[str]:
    """Returns the pages with ligatures as letters, and with words joined that are split at a line end.

    The hyphen is removed if the joined word occurs elsewhere in the document, else kept ("cross-border").
    """
    pages = [page if page.isascii() else page.translate(_LIGATURES) for page in pages]
    if not any(map(_MARK.search, pages)):
        return pages
    words = {word.casefold() for page in pages for word in _WORD.findall(_HYPHENATED.sub(" ", page))}

    def mended(found: re.Match[str]) -> str:
        whole = found[1] + found[2]
        return whole if whole.casefold() in words else f"{found[1]}-{found[2]}"

    return [_MARK.sub("-", _HYPHENATED.sub(mended, page)) for page in pages]


def without_running_lines(pages: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the pages without repeated headers and footers, and each of these lines once.

    A line is repeated if most pages from its first to its last page have it, or most of the left or of the right pages.
    In the first and the last line of a page, the page number may differ.
    """
    lines = [page.split("\n") for page in pages]
    edges = [_edges(page, number) for number, page in enumerate(lines)]
    filled = [number for number, edge in enumerate(edges) if edge]
    places: defaultdict[str, list[int]] = defaultdict(list)
    for number, edge in enumerate(edges):
        for form in {form for forms in edge.values() for form in forms}:
            places[form].append(number)
    repeated = {form for form, numbers in places.items() if _runs(numbers, filled)}
    removed = dict[str, str]()
    kept = []
    for page, edge in zip(lines, edges, strict=True):
        gone = {place: form for place, forms in edge.items() for form in reversed(forms) if form in repeated}
        for place, form in gone.items():
            removed.setdefault(form, page[place].strip())
        kept.append("\n".join(line for place, line in enumerate(page) if place not in gone))
    return kept, [line for form, line in removed.items() if any(map(str.isalpha, form))]


def _runs(numbers: Sequence[int], filled: Sequence[int]) -> bool:
    """Whether a line on the pages `numbers` is a header or footer. `filled`: the pages that may have one."""
    first, last = numbers[0], numbers[-1]
    for step in (1, 2):
        counted = [number for number in numbers if (number - first) % step == 0]
        between = [number for number in filled if first <= number <= last and (number - first) % step == 0]
        if len(counted) >= _PAGES and len(counted) >= _SHARE * len(between):
            return True
    return False


def _edges(lines: Sequence[str], page: int) -> dict[int, list[str]]:
    """Returns the lines at the top and the bottom of a page by position, in the forms used for comparison."""
    filled = [place for place, line in enumerate(lines) if line.strip()]
    if len(filled) < _SHORTEST:
        return {}
    inner = {place: [" ".join(lines[place].split())] for place in (filled[1], filled[-2])}
    return inner | {place: _forms(" ".join(lines[place].split()), page) for place in (filled[0], filled[-1])}


def _forms(line: str, page: int) -> list[str]:
    """Returns the line, and variants of it in which one number is relative to the page number.

    So lines that differ only in the page number have an equal variant.
    """
    numbers = list(_NUMBER.finditer(line))
    ends = dict.fromkeys((numbers[0], numbers[-1])) if numbers else ()
    return [line, *(f"{line[: found.start()]}\0{int(found[0]) - page}\0{line[found.end() :]}" for found in ends)]
