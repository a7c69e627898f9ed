"""Splits a text of any language into words.

Two texts have equal words if they differ only in case, Unicode form (NFKC: ligatures, full width, decomposed accents),
invisible characters (soft hyphens, joiners, direction marks), optional vowel points (Arabic, Hebrew) or the script of
digits. Combining marks stay with their letter (Hindi, Tamil, Thai).

"1.5", "-3", "1/2", "20:15", "v1.10", "10^2", "c++", "c#" and "o+" are one word each. Percent, degree and currency signs
are words. A number has the same form whether it is written with a decimal point or a decimal comma:

- Marks between groups of digits are removed: "1,000", "1'000", "1.000.000" and "1,00,000" (India).
- Any other comma between digits is a decimal point: "1,5", "12,75", "0,125", "1.234,5".
- "1,234" and "1.234" are ambiguous and read as in English: 1234 and 1.234.

Scripts that write no spaces between words are split in three ways:

- `searched`: into characters, so that an answer is found at any position.
- `scored`: into characters for Chinese, Japanese and Korean; into words for Thai, Lao, Khmer and Burmese (by ICU's
  dictionaries).
- `indexed`: into words, by ICU's dictionaries; into characters in scripts without a dictionary. Korean words lose their
  particles.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import metadata

from raft_exp.core import bm25s_package, scripts
from raft_exp.core.scripts import MARKS

VERSION = 2  # part of the keys of corpora whose texts are read by these rules

_IGNORED = re.compile(  # Default_Ignorable_Code_Point of Unicode
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_OPTIONAL = re.compile(
    "[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed]"
)
_SPACED = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})* 000(?!\d)")  # 10 000 with an ordinary space
_GROUPED = re.compile("(?<=\\d)[\u00a0\u2007\u2009\u202f](?=\\d{3}(?!\\d))")  # 1 000 with a space that does not break
_FRACTION = re.compile("(?<=\\d)(?=[\u00bc-\u00be\u2150-\u215f\u2189])")  # 1½: NFKC alone would make it 11/2
_POWER = re.compile("(?<=\\d)(?=[\u00b2\u00b3\u00b9\u2070\u2074-\u207b])")  # 10²: NFKC alone would make it 102
_ONE_FORM = str.maketrans(
    {"\u066b": ".", "\u066c": ",", "\u2044": "/", "\u2212": "-", "\u2010": "-", "_": " ", "\u2019": "'", "♯": "#"}
    | {"أ": "ا", "إ": "ا", "ی": "ي", "ک": "ك", "ё": "е", "Ё": "Е", "ı": "i"}  # letters that many writers exchange
    | dict(zip("άέήίόύώΆΈΉΊΌΎΏΐΰ", "αεηιουωΑΕΗΙΟΥΩϊϋ", strict=True))  # capitals have no accent in Greek
)
_CHARGE = "\ufdd0"  # stands for the minus after a letter; no character of Unicode
# O-, Cl-, NO3-; "A4- und A5-Papier" has hyphens
_CHARGED = re.compile(
    r"(?<!\w)([A-Z][A-Za-z]?|(?:[A-Z][a-z]?\d*)*[A-Z][a-z]?\d+)[-–](?![\w–-]|\s+(?:und|oder|bis|and|or|to|et|ou|y|o)\b)"
)
_ACRONYM = re.compile(r"(?<![\w.])(?:[^\W\d_]{1,2}\.){2,}[^\W\d_]?(?!\w)")  # U.S., Ph.D.

_WORD = rf"[\w{MARKS}]"
_MONEY = "$€£¥₹₩₽₺₫¢"
_NAMED = "|".join(rf"(?<=(?<![\w</])\w{{{size}}})" for size in range(1, 9))  # after a name: p>0.05, and not <b>5
_TOKEN = re.compile(
    rf"""(?:(?<![\w/"'])|{_NAMED}|(?=[<≤≥±≠]))(?P<compare>[<>≤≥±≠])(?P<equal>=?)(?=\s?[-–{_MONEY}]?\.?\d)
    |(?P<sign>[%‰≠]|(?<!\S)[+<>](?!\S)|(?<=\d)(?:\+(?=\d)|′+)|√(?=\d)|°(?:[cfk](?!{_WORD}))?)
    |(?P<before>[{_MONEY}])(?=\s?[-–]?\.?\d)
    |(?<=\d)\s?(?P<after>[{_MONEY[1:]}]|\$(?!\s?\d))
    |(?P<minus>(?<![\w{MARKS}.)\]%°])[-–](?=\.?\d))?(?P<point>(?<![\w.])\.(?=\d))?
     (?P<word>{_WORD}+(?:(?<=\d)(?:[.,:/']|\^-?)(?=\d){_WORD}+)*(?:(?<=[a-z0-9\u00df-\u04ff])(?:\+\+|[+#♭]+(?!{_WORD})|{_CHARGE}))?)""",
    re.VERBOSE,
)
_SIGNS = rf"\d%‰°{_MONEY}<>≤≥±≠√′+#♭{_CHARGE}"
_CHUNK = rf"[^\s{_SIGNS}]*[{_SIGNS}]\S*"  # with a number or a sign
_SIGNED = re.compile(rf"(?<!\S){_CHUNK}(?:\s+{_CHUNK})*")
_PLAIN, _ASCII = re.compile(f"{_WORD}+"), re.compile(r"\w+")
_THOUSANDS = re.compile(r"(?<![\d.,'])\d{1,3}(?:([,'])\d{3})(?:\1\d{3})*(?![\d,'])")
_LONE = r"(?<![\w.,'])", r"(?![\d.,'])"  # around a number: no further group
_INDIAN = re.compile(rf"{_LONE[0]}\d{{1,2}}(?:,\d\d)+,\d{{3}}(?![\d,'])")
_POINTS = re.compile(rf"{_LONE[0]}\d{{1,3}}(?:(?:\.\d{{3}}){{2,}}|(?:\.\d{{3}})+(?=,\d))(?:,\d+)?{_LONE[1]}")
_DECIMAL = re.compile(rf"{_LONE[0]}(?:(\d+),(\d{{1,2}}|\d{{4,}})|(0),(\d{{3}})){_LONE[1]}")
_GROUP_MARKS = frozenset(".,'")
_UNIT = re.compile(
    r"(-?[\d.,/^]+)([kmµμcd]?(?:g|l|m|w|v)|[mµμn]s|[kmgtp]i?b|[kmg]?hz|[kmh]?pa|[kmg]w?h|min|mol|kcal|mph|bar|db|ppm|rpm|[cf])"
)
_DOT = "\u0307"  # the dot that casefold adds to the i of "İstanbul"


def version() -> str:
    """Returns the version of this module's rules and of ICU's dictionaries, for the keys of stages."""
    return f"{VERSION}, icu4py {metadata.version('icu4py')}"


Split = Callable[[str], Iterator[str]]  # the units of a run of one script without blanks


@lru_cache(maxsize=4096)
def searched(text: str) -> str:
    """Returns the words of a text for a search for answers (see the module), separated by one space."""
    return " ".join(_tokens(text, scripts.characters, keeps_korean=True))


def scored(text: str) -> str:
    """Returns the words of a text for F1 and ROUGE-L (see the module), separated by one space."""
    return " ".join(_tokens(text, scripts.scored))


def indexed(text: str) -> list[str]:
    """Returns the words of a text for a retrieval index (see the module), without English stop words."""
    words, stop_words = _tokens(text, scripts.words, keeps_korean=True), _stop_words()
    if not text.isascii():
        words = [scripts.without_particle(word) for word in words]
    return [word for word in words if word not in stop_words]


@lru_cache(maxsize=1)
def _stop_words() -> frozenset[str]:
    parts = {"s", "t"}  # the parts after the apostrophe of "Velmor's" and "don't"
    return frozenset(bm25s_package.load().stopwords.STOPWORDS_EN) | parts


def count(text: str) -> int:
    """Returns the number of words. ICU's dictionaries split scripts without spaces; white space splits the others."""
    words = text.split()
    if text.isascii() or not scripts.has_unspaced(text):
        return len(words)
    return sum(max(1, len(_plain(word, scripts.words, True))) for word in words)


def folded(text: str) -> str:
    """Returns a text in which case, Unicode form, vowel points and digits have one form (see the module)."""
    if not text.isascii():
        text = _POWER.sub("^", _FRACTION.sub(" ", _GROUPED.sub("", _IGNORED.sub("", text))))
        text = _OPTIONAL.sub("", unicodedata.normalize("NFKC", text))
        text = "".join(_digit(letter) for letter in text) if _has_other_digits(text) else text
    if " 000" in text:
        text = _SPACED.sub(lambda number: number[0].replace(" ", ""), text)
    text = _CHARGED.sub(rf"\1{_CHARGE}", text.translate(_ONE_FORM))
    text = _ACRONYM.sub(lambda match: match[0].replace(".", ""), text)
    text = text.casefold()
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text.replace(f"i{_DOT}", "i"))
    text = text.replace("\u0e40\u0e40", "\u0e41")  # two sara e, as many write sara ae
    return text.replace("\u0e4d\u0e32", "\u0e33").replace("\u0ecd\u0eb2", "\u0eb3")  # the am of Thai and Lao


def _tokens(text: str, split: Split, keeps_korean: bool = False) -> list[str]:
    tokens: list[str] = []
    text, place = folded(text), 0
    for signed in _SIGNED.finditer(text):
        tokens += _plain(text[place : signed.start()], split, keeps_korean)
        tokens += _signed(signed[0], split, keeps_korean)
        place = signed.end()
    tokens += _plain(text[place:], split, keeps_korean)
    return tokens or _signs(text)


def _plain(text: str, split: Split, keeps_korean: bool) -> list[str]:
    """Returns the words of a text that has no numbers and signs."""
    words: list[str] = (_ASCII if text.isascii() else _PLAIN).findall(text)
    if text.isascii() or not scripts.has_unspaced(text):
        return words
    return [part for word in words for part in _runs(word, split, keeps_korean)]


def _signed(text: str, split: Split, keeps_korean: bool) -> list[str]:
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        if match["word"]:
            tokens += _of_word(match, split, keeps_korean)
        elif match["after"]:  # 5 € as €5; in $5$ the second sign ends a formula
            if tokens[-2:-1] != [match["after"]]:
                tokens.insert(max(0, len(tokens) - 1), match["after"])
        elif match["compare"]:
            tokens.append({"<=": "≤", ">=": "≥"}.get(match["compare"] + match["equal"], match["compare"]))
        else:
            tokens.append(match["sign"] or match["before"])
    return tokens


def _of_word(match: re.Match[str], split: Split, keeps_korean: bool) -> Iterator[str]:
    word = ("-" if match["minus"] else "") + ("0." if match["point"] else "") + match["word"]
    if not _GROUP_MARKS.isdisjoint(word):
        word = _number(word)
    if not word.isascii() and scripts.has_unspaced(word):
        yield from _runs(word, split, keeps_korean)
    else:
        unit = _UNIT.fullmatch(word) if word[0] in "-0123456789" else None
        yield from unit.groups() if unit else (word,)


def _number(word: str) -> str:
    """Returns a word with its numbers in one form: no marks between groups of digits, a point before decimals."""
    word = _POINTS.sub(lambda number: number[0].replace(".", "").replace(",", "."), word)
    word = _INDIAN.sub(lambda number: number[0].replace(",", ""), word)
    word = _DECIMAL.sub(lambda number: f"{number[1] or number[3]}.{number[2] or number[4]}", word)
    return _THOUSANDS.sub(lambda number: number[0].replace(number[1], ""), word)


def _runs(word: str, split: Split, keeps_korean: bool = False) -> Iterator[str]:
    for run in scripts.runs(word):
        yield from split(run) if scripts.is_unspaced(run, keeps_korean) else (run,)


def _signs(text: str) -> list[str]:
    """Returns the signs of a text that has no words: ["+"] for "+"; [] for mere punctuation such as "..."."""
    bare = "".join(text.split())
    return list(bare) if bare == "-" or any(unicodedata.category(sign) in ("Sm", "Sc", "So") for sign in bare) else []


@lru_cache(maxsize=4096)
def _digit(letter: str) -> str:
    return str(unicodedata.decimal(letter)) if letter.isdecimal() else letter


def _has_other_digits(text: str) -> bool:
    return any(letter.isdecimal() and not letter.isascii() for letter in text)
