"""Finds passages that nearly repeat an earlier passage of the corpus.

**Contained**: every run of five words and every symbol (such as - or %) of the passage also occurs in the earlier one,
so the passage adds nothing. **Similar**: the passage is from another document, and at least 80% of its runs occur in
the earlier one. A similar passage has some new words (another number, another name, "not"), which a question may be
about.

Candidate pairs share the smallest hashes of their runs (a bottom-k sketch: A. Broder, "On the resemblance and
containment of documents", 1997). Their texts are then read again and compared, so that only the sketches stay in
memory.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from raft_exp.core.near_copies import LEAST_SHINGLES
from raft_exp.core.shingles import WIDTH, Shingles, shingles, units

Kind = Literal["contained", "similar"]

_SIMILAR = 0.8  # least share of the runs of a passage that stand in the earlier one
_SKETCH = (
    4  # smallest hashes by which a passage is found: of passages with 80% of all runs in common, 1 in 600 is missed
)
_MOST = 4  # earlier passages compared
_BLANKS = {code: " " for code in range(128) if not chr(code).isalnum()}
_BASE, _MIXER = 0x9E3779B97F4A7C15, np.uint64(0xD6E8FEB86659FD93)  # odd numbers, of the golden ratio and SplitMix64
_SIGNS = re.compile(r"[-+<>=/%$€£¥^~≤≥≠±×÷°&@\\−–]")
_ALIKE = str.maketrans("−–", "--")


class NearCopy(NamedTuple):
    """An earlier passage (by number) that a passage nearly repeats, and the kind of repetition."""

    earlier: int
    kind: Kind


class NearCopies:
    """The passages of a corpus so far, by number.

    `read`: a function from the number of a passage to its document (as a number) and its text.
    """

    def __init__(self, read: Callable[[int], tuple[int, str]]) -> None:
        self._read = read
        self._by_hash: dict[int, int] = {}  # one of the smallest hashes -> number of the first passage with it

    def find(self, text: str, sketch: Sequence[int], document: int) -> NearCopy | None:
        """Returns the earlier passage that a text nearly repeats; None if there is none.

        `sketch`: the result of the function `sketch` for the text. `document`: the number of the text's document.
        """
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
        """Adds a passage by its sketch and number."""
        for smallest in sketch:
            self._by_hash.setdefault(smallest, number)

    def _candidates(self, sketch: Sequence[int]) -> list[int]:
        numbers = Counter(self._by_hash[one] for one in sketch if one in self._by_hash)
        return [number for number, _ in numbers.most_common(_MOST)]


def sketch(text: str) -> list[int]:
    """Returns up to 4 smallest hashes of a text's runs of five words; [] for a text of fewer than 20 words.

    The words of a run are those of `shingles.units`, joined by single blanks. The hash of a run is a polynomial of its
    bytes, modulo 2**64.
    """
    data = np.frombuffer(_plain(text).encode(), dtype=np.uint8).astype(np.uint64)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.flatnonzero(data == ord(" ")) + 1])
    count = len(starts) - WIDTH + 1
    if count < LEAST_SHINGLES:
        return []
    powers, inverses = _powers(1 << len(data).bit_length())
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(data * powers[: len(data)])])
    ends = np.append(starts[WIDTH:] - 1, len(data))
    hashes = (sums[ends] - sums[starts[:count]]) * inverses[starts[:count]]
    hashes = (hashes ^ (hashes >> np.uint64(29))) * _MIXER
    return [int(one) for one in np.unique(np.partition(hashes, 2 * _SKETCH)[: 2 * _SKETCH])[:_SKETCH]]


@lru_cache(maxsize=32)
def _powers(count: int) -> tuple[Shingles, Shingles]:
    """Returns the powers of the polynomial's base modulo 2**64, and their inverses."""
    base = np.full(count, _BASE, dtype=np.uint64)
    inverse = np.full(count, pow(_BASE, -1, 1 << 64), dtype=np.uint64)
    base[0] = inverse[0] = 1
    return np.cumprod(base), np.cumprod(inverse)


def _plain(text: str) -> str:
    """Returns the words of a text as in `shingles.units`, joined by single blanks."""
    if text.isascii() and "&" not in text:
        return " ".join(text.lower().translate(_BLANKS).split())
    return " ".join(units(text))


def _runs(text: str) -> Shingles:
    return shingles(units(text))


def _signs(text: str) -> Counter[str]:
    return Counter(_SIGNS.findall(unicodedata.normalize("NFKC", text).translate(_ALIKE)))
