"""Decodes bytes to text: by byte order mark, as UTF-16 or UTF-8, as the file declares, or by a guess with a warning."""

import codecs
import re
import unicodedata
from collections.abc import Sequence

from raft_exp.corpora.readers.documents.document import UnreadableError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_BINARY = 0.02  # highest share of control characters in a text
_GUESSED_FROM = 200_000  # first bytes of a file, from which its encoding is guessed


def decode(data: bytes, declared: str = "") -> tuple[str, list[str]]:
    """Returns the text, with "\\n" for every line end and without control characters, and warnings.

    `declared`: the encoding that the file declares; "" for none. Raises UnreadableError if no encoding fits, for binary
    data, and for white space only.
    """
    text, warnings = _decoded(data, declared)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    controls = len(_CONTROLS.findall(text))
    _refuse_binary(controls, text)
    if controls:
        text = _CONTROLS.sub("", text)
        warnings.append(f"{controls} control characters were left out")
    if not text.strip():
        raise UnreadableError("empty", "nothing but white space")
    return text, warnings


def _decoded(data: bytes, declared: str) -> tuple[str, list[str]]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _marked(data, encoding)
    for encoding in (
        _wide(data),
        "utf-8",
        declared,
    ):  # UTF-16 first: ASCII text in UTF-16 is valid UTF-8 too, full of NUL
        if (text := _strictly(data, encoding)) is not None:
            return text, []
    return _damaged(data) or _guessed(data, declared)


def _marked(data: bytes, encoding: str) -> tuple[str, list[str]]:
    text = data.decode(encoding, errors="replace")
    wrong = text.count("\ufffd")
    return text, [f"{wrong} characters are not valid {encoding} and became U+FFFD"] if wrong else []


def _wide(data: bytes) -> str:
    """Returns the UTF-16 encoding of data without a byte order mark; "" for other data.

    In UTF-16, every other byte of Western text is 0.
    """
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if data[first:2000:2].count(0) > 0.4 * len(data[:2000:2]):
            return encoding
    return ""


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding) if encoding else None
    except (LookupError, ValueError):
        return None


def _damaged(data: bytes) -> tuple[str, list[str]] | None:
    """Decodes UTF-8 with some wrong bytes; None unless non-ASCII characters are more than twice as many as these."""
    text = data.decode("utf-8", errors="replace")
    wrong = text.count("\ufffd")
    right = sum(not character.isascii() for character in text) - wrong
    if right <= 2 * wrong:
        return None
    return text, [f"UTF-8 with {wrong} wrong bytes, which became U+FFFD"]


def _refuse_binary(controls: int, text: str) -> None:
    if controls > _BINARY * len(text):
        raise UnreadableError("not what its suffix says", "binary data, no text")


def _guessed(data: bytes, declared: str) -> tuple[str, list[str]]:
    plain = data.decode("latin-1")
    _refuse_binary(len(_CONTROLS.findall(plain)), plain)
    encoding = _likeliest(data[:_GUESSED_FROM])
    text = _strictly(data, encoding)
    if text is None:
        raise UnreadableError("not decoded", "neither UTF-8 nor another known encoding; save it as UTF-8")
    not_as = f"not {declared}, as it declares, but " if declared else ""
    return text, [f"decoded as {not_as}{encoding}, which is a guess"]


def _likeliest(data: bytes) -> str:
    """Returns the most likely encoding; "" if none fits. Of equally good ones it returns Windows-1252 (cp1252).

    A short text fits several encodings.
    """
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    western = from_bytes(data, cp_isolation=["cp1252"]).best()
    if (western and best and western.chaos <= best.chaos) or _only_punctuation(data):
        return "cp1252"
    return best.encoding if best else ""


def _only_punctuation(data: bytes) -> bool:
    """Whether all non-ASCII bytes are punctuation or symbols in Windows-1252 (quotation marks, dashes, ...)."""
    text: Sequence[str] = _strictly(data, "cp1252") or "\0"
    return all(character.isascii() or unicodedata.category(character)[0] in "PSZ" for character in text) and (
        "\0" not in text
    )
