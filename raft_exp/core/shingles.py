"""Represents texts as sets of shingles, to find near copies. A shingle is a hash of five consecutive units.

A unit is a word, or a character in scripts that write no spaces. Case, punctuation, white space, Unicode form and HTML
entities make no difference.
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from raft_exp.core.collection import hash64

Shingles = NDArray[np.uint64]  # ascending, without repetition

WIDTH = 5  # units of a shingle

# Thai and Lao, Burmese, Khmer, kana, Chinese characters and their extensions.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
_UNIT = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_ASCII_UNIT = re.compile(r"[a-z0-9]+")  # the same units for ASCII
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")  # soft hyphens, joiners, direction marks
# Odd multipliers of the places of a shingle, from the golden ratio and the constants of SplitMix64.
_FACTORS = np.array(
    [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F],
    dtype=np.uint64,
)


def units(text: str) -> list[str]:
    """Splits a text into its units (see the module), in their order."""
    visible = html.unescape(text)
    if visible.isascii():
        return _ASCII_UNIT.findall(visible.lower())
    visible = _INVISIBLE.sub("", visible)
    return _UNIT.findall(unicodedata.normalize("NFKC", visible).casefold())


def text_hash(text_units: Sequence[str]) -> int:
    """Returns a 64-bit hash of a text's units: equal for texts with the same units in the same order."""
    return hash64(" ".join(text_units))


def shingles(text_units: Sequence[str]) -> Shingles:
    """Returns the distinct shingles of a text in ascending order; empty for a text of fewer than `WIDTH` units."""
    hashes = np.fromiter(map(_unit_hash, text_units), dtype=np.uint64, count=len(text_units))
    count = len(hashes) - WIDTH + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    mixed = np.zeros(count, dtype=np.uint64)
    for place, factor in enumerate(_FACTORS):
        mixed = (mixed ^ hashes[place : place + count]) * factor
        mixed ^= mixed >> np.uint64(29)
    return np.unique(mixed)


@lru_cache(maxsize=1 << 18)
def _unit_hash(unit: str) -> int:
    return hash64(unit)
