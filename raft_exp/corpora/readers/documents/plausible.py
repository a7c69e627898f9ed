"""Checks that extracted text is real text: removes embedded files, and detects pages without words."""

import re
from itertools import pairwise

_DATA_URI = re.compile(r"data:[\w.+-]{1,60}/[\w.+-]{1,100}(?:;[\w.=+-]{1,100}){0,8};base64,[A-Za-z0-9+/=%_-]*")
_BLOB = re.compile(r"[A-Za-z0-9+/]{60,}={0,2}(?:\n[A-Za-z0-9+/]{4,}={0,2})*")
_SHORTEST = 200  # characters of base64 that are no text
_SWITCHES = 0.25  # least share of neighbours of different kinds (upper, lower, digit) in base64; the mean is 0.65
_INSIDE = re.compile(r"[^\W\d_][^\w\s'’.,()/&-]+[^\W\d_]")  # a sign between letters
_SINGLE = re.compile(r"(?<!\S)[A-Za-z](?!\S)")
_LEAST = 20  # fewest words for which a share is computed
_UNKNOWN = re.compile("[\ufffd\ue000-\uf8ff]")


def without_embedded(text: str) -> tuple[str, int]:
    """Returns the text without base64 files (pictures, attachments), and the number of removed files."""
    text, count = _DATA_URI.subn("", text)
    blobs = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal blobs
        if not _is_base64(found[0]):
            return found[0]
        blobs += 1
        return ""

    return _BLOB.sub(replaced, text), count + blobs


def _is_base64(text: str) -> bool:
    text = "".join(text.split()).rstrip("=")
    if len(text) < _SHORTEST:
        return False
    kinds = [0 if sign.isupper() else 1 if sign.islower() else 2 for sign in text[:2000]]
    switches = sum(first != second for first, second in pairwise(kinds))
    return len(set(kinds)) == 3 and switches > _SWITCHES * len(kinds)


def no_language(text: str) -> str:
    """Returns the reason why a text cannot be real language; "" if there is no such reason.

    `text`: the text of a PDF page, as decoded from its fonts.
    """
    signs = "".join(text.split())
    unknown = len(_UNKNOWN.findall(signs))
    if len(signs) >= _LEAST and unknown > 0.3 * len(signs):
        return "private-use or replacement characters"
    if len(_INSIDE.findall(text)) < 0.25 * _LEAST:
        return ""
    words = [word for word in text.split() if sum(map(str.isalpha, word)) >= 2]
    if len(words) >= _LEAST and sum(bool(_INSIDE.search(word)) for word in words) > 0.25 * len(words):
        return "words with symbols between their letters"
    return ""


def single_letters(text: str) -> bool:
    """Whether most words are single letters, as in text with spaces between its letters."""
    if len(_SINGLE.findall(text)) < _LEAST:
        return False
    words = [word for word in text.split() if word.isalpha() and word.isascii()]
    return len(words) >= 2 * _LEAST and sum(len(word) == 1 for word in words) > 0.6 * len(words)
