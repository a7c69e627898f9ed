"""Handles scripts that write no spaces between words, letters with combining marks, and the particles of Korean."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache


def _ranges(numbers: Iterable[int]) -> str:
    """Returns ascending code points as ranges for a regular expression's character class (`[...]`).

    `re` matches ranges four times as fast as single characters.
    """
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in spans)


# All code points of the categories Mn, Mc and Me: vowel signs, accents, viramas.
MARKS = _ranges(number for number in range(0x300, 0x1E950) if unicodedata.category(chr(number))[0] == "M")

_EAST_ASIAN = (  # kana, bopomofo, Chinese characters with their extensions, marks of repetition
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U000323af"
)
_KOREAN = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
_DICTIONARY = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\uaa60-\uaa7f\ua9e0-\ua9ff"  # Thai, Lao, Burmese, Khmer
# Scripts without spaces for which ICU has no dictionary of words.
_UNKNOWN = {
    "Tai Le": "\u1950-\u197f",
    "New Tai Lue": "\u1980-\u19df",
    "Tai Tham": "\u1a20-\u1aaf",
    "Balinese": "\u1b00-\u1b7f",
    "Javanese": "\ua980-\ua9df",
    "Tai Viet": "\uaa80-\uaadf",
    "Yi": "\ua000-\ua4cf",
}
_WITHOUT_DICTIONARY = "".join(_UNKNOWN.values())
_ALL = _EAST_ASIAN + _DICTIONARY + _WITHOUT_DICTIONARY


def _run(letters: str) -> re.Pattern[str]:
    return re.compile(rf"[{letters}][{letters}{MARKS}]*")


_UNSPACED, _UNSPACED_OR_KOREAN = _run(_ALL), _run(_ALL + _KOREAN)
_RUN = re.compile(rf"[{_ALL}][{_ALL}{MARKS}]*|[{_KOREAN}][{_KOREAN}{MARKS}]*")
_BY_WORDS = re.compile(rf"[{_DICTIONARY}][{MARKS}{_DICTIONARY}]*|.[{MARKS}]*", re.S)
_CHARACTER = re.compile(rf".[{MARKS}]*", re.S)
_HAS_DICTIONARY = re.compile(f"[{_EAST_ASIAN}{_DICTIONARY}]")
_HANGUL_END = re.compile(f"[{_KOREAN}]\\Z")

_PARTICLES = """
은 는 이 가 을 를 의 에 에서 에게 에게서 께 께서 한테 로 으로 로서 으로서 로써
으로써 와 과 랑 이랑 하고 도 만 까지 부터 마다 조차 마저 처럼 보다 밖에 라고 이라고
라는 이라는 이다 다 입니다 이었다 였다 이었습니다 였습니다 이며 며 이고 고 인 이란 란
이나 나 든지 이든지 야 이야 예요 이에요 이었던 였던 에는 에도 에서는 에서도 에서의
으로는 로는 로의 으로의 와는 과는 와의 과의 에게는 까지는 까지의 부터는 부터의 만이
만을 만은 이자 으로부터 로부터
"""
PARTICLE = "(?:" + "|".join(sorted(_PARTICLES.split(), key=lambda particle: (-len(particle), particle))) + ")?"
_WITH_PARTICLE = re.compile(rf"([{_KOREAN}]{{2,}}?){PARTICLE}")


_ARABIC, _HEBREW = re.compile("[\u0621-\u064a]{3,}"), re.compile("[\u05d0-\u05ea]{3,}")


def before_word(word: str) -> str:
    """Returns a regular expression for the prefixes of an Arabic or Hebrew word, such as "and" and "in".

    Returns "" for words of other scripts and of fewer than three letters. The Arabic article ("al-") is not a prefix
    here but part of the word.
    """
    if _HEBREW.match(word):
        return "[והבלמשכ]{0,2}"
    return "[وف]?[بكل]?" if _ARABIC.match(word) else ""


def has_unspaced(text: str) -> bool:
    """Whether a text has letters of a script without spaces, or of Korean, where particles follow without a space."""
    return bool(_UNSPACED_OR_KOREAN.search(text))


def is_unspaced(run: str, keeps_korean: bool) -> bool:
    """Whether a run (from `runs`) is of a script without spaces. Korean also counts unless `keeps_korean`."""
    return bool((_UNSPACED if keeps_korean else _UNSPACED_OR_KOREAN).match(run))


def runs(word: str) -> Iterator[str]:
    """Splits a word into runs of one kind of script: Korean, other scripts without spaces, and all other scripts."""
    place = 0
    for match in _RUN.finditer(word):
        if match.start() > place:
            yield word[place : match.start()]
        yield match[0]
        place = match.end()
    if place < len(word):
        yield word[place:]


def characters(run: str) -> Iterator[str]:
    """Yields the characters of a run (from `runs`), each with the combining marks after it."""
    return (match[0] for match in _CHARACTER.finditer(run))


def scored(run: str) -> Iterator[str]:
    """Yields the units that F1 and ROUGE-L count: words in Thai, Lao, Khmer and Burmese, otherwise characters."""
    for match in _BY_WORDS.finditer(run):
        yield from words(match[0]) if len(match[0]) > 1 else (match[0],)


def words(run: str) -> Iterator[str]:
    """Splits a run into words by ICU's dictionaries, or into characters if ICU has no dictionary of the script."""
    if _HAS_DICTIONARY.search(run):
        return iter(_segmented(run))
    return characters(run)


@lru_cache(maxsize=1 << 16)
def _segmented(run: str) -> tuple[str, ...]:
    from icu4py.breakers import WordBreaker

    return tuple(WordBreaker(run, "en"))


def without_particle(word: str) -> str:
    """Returns a Korean word without the particle at its end, and any other word unchanged."""
    if word.isascii() or not _HANGUL_END.search(word):
        return word
    match = _WITH_PARTICLE.fullmatch(word)
    return match[1] if match else word


def ends_in_korean(word: str) -> bool:
    """Whether a word ends in a Korean letter, so that a particle may follow it."""
    return bool(_HANGUL_END.search(word))


def without_dictionary(text: str) -> set[str]:
    """Returns the names of those scripts in a text that write no spaces and have no ICU dictionary."""
    if text.isascii():
        return set()
    return {name for name, letters in _UNKNOWN.items() if re.search(f"[{letters}]", text)}


def is_mostly_latin(text: str) -> bool:
    """Whether at least half of the letters and digits of a text are ASCII."""
    if text.isascii():
        return True
    letters = [letter for letter in text if letter.isalnum()]
    return 2 * sum(map(str.isascii, letters)) >= len(letters)
