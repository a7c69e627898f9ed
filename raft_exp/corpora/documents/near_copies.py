"""Finds passages that nearly repeat an earlier passage of the corpus.

**Contained**: each run of five words and each sign of the passage stands in the earlier one too, so it holds nothing
new. **Similar**: the passage is of another document, and at least 80% of its runs stand in the earlier one, but it has
words of its own: another number, another name, "not". The latter may be what a question asks for.

Pairs are found by the smallest hashes of their runs (a bottom-k sketch: A. Broder, "On the resemblance and containment
of documents", 1997), and checked on their texts, which are read again: memory grows by the sketches alone.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from raft_exp.core.near_copies import LEAST_SHINGLES
from raft_exp.core.shingles import Shingles, shingles, units

Kind = Literal["contained", "similar"]

_SIMILAR = 0.8  # least share of the runs of a passage that stand in the earlier one
_SKETCH = (
    4  # smallest hashes by which a passage is found: of passages with 80% of all runs in common, 1 in 600 is missed
)
_MOST = 4  # earlier passages compared
_SIGNS = re.compile(r"[-+<>=/%$€£¥^~≤≥≠±×÷°&@\\−–]")
_ALIKE = str.maketrans("−–", "--")


class NearCopy(NamedTuple):
    """An earlier passage, by its number, that a passage nearly repeats."""

    earlier: int
    kind: Kind


class NearCopies:
    """The passages of a corpus so far, by their numbers. `read` gives document and text of one again."""

    def __init__(self, read: Callable[[int], tuple[int, str]]) -> None:
        self._read = read
        self._by_hash: dict[int, int] = {}  # one of the smallest hashes -> number of the first passage with it

    def find(self, text: str, sketch: Sequence[int], document: int) -> NearCopy | None:
        """The earlier passage that a text nearly repeats; None for a new text. `sketch` is that of the text."""
        numbers = self._candidates(sketch)
        runs = _runs(text) if numbers else _runs("")
        found: NearCopy | None = None
        for number in numbers:
            owner, earlier = self._read(number)
            common = len(np.intersect1d(runs, _runs(earlier), assume_unique=True))
            if common == len(runs) and not _signs(text) - _signs(earlier):
                return NearCopy(number, "contained")
            if owner != document and common >= _SIMILAR * len(runs):
                found = found or NearCopy(number, "similar")
        return found

    def add(self, sketch: Sequence[int], number: int) -> None:
        """Adds a passage by its sketch."""
        for smallest in sketch:
            self._by_hash.setdefault(smallest, number)

    def _candidates(self, sketch: Sequence[int]) -> list[int]:
        numbers = Counter(self._by_hash[one] for one in sketch if one in self._by_hash)
        return [number for number, _ in numbers.most_common(_MOST)]


def sketch(text: str) -> list[int]:
    """The smallest hashes of the runs of five words of a text; [] for a text of fewer than 20 words."""
    runs = _runs(text)
    return [int(one) for one in runs[:_SKETCH]] if len(runs) >= LEAST_SHINGLES else []


def _runs(text: str) -> Shingles:
    return shingles(units(text))


def _signs(text: str) -> Counter[str]:
    return Counter(_SIGNS.findall(unicodedata.normalize("NFKC", text).translate(_ALIKE)))
