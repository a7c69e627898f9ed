"""Joins Google's tokens to natural text: "Tom 's ( ex ) , `` old ''" becomes `Tom's (ex), "old"`.

Answers and contexts of the test files are natural text. A model trained on unjoined tokens ("Schindler 's List") would
not match them.
"""

import re
from collections.abc import Sequence

_TAG = re.compile(r"</?[A-Z][^<>]*>")
_AS_TEXT = {"``": '"', "''": '"', "--": "–"}
_OPEN = frozenset(("(", "[", "{", "$", "£", "€", "``"))
_CLOSE = re.compile(r"[,.;:!?%)\]}']|''|\.\.\.|'(s|t|re|ve|ll|d|m)|n't", re.IGNORECASE)


def is_tag(token: str) -> bool:
    """Whether a token of the simplified data is HTML, such as <P> or <Th_colspan="2">."""
    return bool(_TAG.fullmatch(token))


def join(tokens: Sequence[str]) -> tuple[str, list[int]]:
    """Returns (text, offset in characters of each token in the text)."""
    text, starts, before = "", [], ""
    for token in tokens:
        text += "" if not text or _close_together(before, token) else " "
        starts.append(len(text))
        text, before = text + _AS_TEXT.get(token, token), token
    return text, starts


def _close_together(left: str, right: str) -> bool:
    """Whether two tokens are joined without a space."""
    if left in _OPEN or _CLOSE.fullmatch(right):
        return True
    return (right == "--" and left[-1:].isdigit()) or (left == "--" and right[:1].isdigit())  # 1979–80
