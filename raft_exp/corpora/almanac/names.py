"""Invented names of two or three syllables. A name is computed from a number; different numbers give different names.

There are two sets of names (`Realm`): "study" for the study's world, and "practice" for the worlds on which the pocket
model was pre-trained. The sets share syllables but no name: after each first syllable, one set uses one half of the
last syllables, and the other set uses the other half.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Literal

Realm = Literal["study", "practice"]


def _words(text: str) -> list[str]:
    return text.split()


_ONSETS = _words("B D F G H K L M N P R S T V Br Dr Kr Tr St Th")
_RIMES = _words("al en or ul ist av er on")
STARTS = [onset + rime for onset in _ONSETS for rime in _RIMES]
_LAST_ONSETS = _words("b d g k l m n r t v s f h p w z")
_LAST_RIMES = _words("a en or in um ath il eck ou ys")
ENDS = [onset + rime for onset in _LAST_ONSETS for rime in _LAST_RIMES]
GIVEN = _words(
    "Ada Agnes Albert Alma Anton Bella Carl Clara Cora David Dora Edgar Edith Ella Emil Emma Erik Ernst Eva Felix "
    "Flora Frank Fritz Grace Greta Gustav Hanna Hector Helen Henry Hugo Ida Ines Irene Isaac Ivan Jacob James Jane "
    "Julia Karl Kate Laura Leo Linda Louis Lucas Lucy Maria Mark Martha Max Mina Nora Olga Oscar Otto Paul Peter Rosa "
    "Ruth Simon Sofia Tom"
)

_HALF = len(ENDS) // 4  # number of pairs of last syllables that one realm has for one first syllable
_SHORT = len(STARTS) * _HALF  # number of pairs of two-syllable names
MAX_NAMES = 2 * _SHORT * (1 + len(ENDS) // 2)
_STRIDE = 2677  # coprime to _SHORT, so that every pair occurs once


def draw(*keys: object) -> int:
    """Returns a 64-bit hash of the keys, from which all random choices in a world are made."""
    return int.from_bytes(blake2b(repr(keys).encode(), digest_size=8).digest(), "big")


@lru_cache(maxsize=4096)
def made_name(seed: int, realm: Realm, number: int) -> str:
    """Returns the name of entity `number`, from 0 to MAX_NAMES - 1.

    Entities 2k and 2k+1 share the first syllable, so that models confuse them.
    """
    pair, member = divmod(number, 2)
    middle, pair = divmod(pair, _SHORT)
    slot = (pair * _STRIDE + draw(seed, "names")) % _SHORT
    start, end = slot % len(STARTS), slot // len(STARTS) + member * _HALF
    half = [end for number, end in enumerate(ENDS) if (number + start) % 2 == (realm == "study")]
    inner = "" if middle == 0 else half[(middle - 1 + slot) % len(half)]
    return STARTS[start] + inner + half[end]


def stray_name(seed: int, realm: Realm, *keys: object) -> str:
    """Returns a three-syllable name for a thing without a document, such as a river. `keys` identify the thing."""
    number = draw(seed, "stray", *keys)
    return made_name(seed, realm, 2 * _SHORT + number % (MAX_NAMES - 2 * _SHORT))


def given_name(seed: int, *keys: object) -> str:
    """Returns a person's given name, drawn by `keys`. Several persons may have the same name."""
    return GIVEN[draw(seed, "given", *keys) % len(GIVEN)]
