"""Google's tokens as a reader would see them: "Tom 's ( ex ) , `` old ''" is `Tom's (ex), "old"` again.

Answers and contexts of the tests are natural text: a model that learns "Schindler 's List" would be wrong there.
"""

import re
from collections.abc import Sequence

_TAG = re.compile(r"</?[A-Z][^<>]*>")
_SHOWN = {"``": '"', "''": '"', "--": "–"}
_OPEN = frozenset(("(", "[", "{", "$", "£", "€", "``"))
_CLOSE = re.compile(r"[,.;:!?%)\]}']|''|\.\.\.|'(s|t|re|ve|ll|d|m)|n't", re.IGNORECASE)


def is_tag(token: str) -> bool:
    """Whether a token of the simplified data is HTML, such as <P> or <Th_colspan="2">."""
    return bool(_TAG.fullmatch(token))


def join(tokens: Sequence[str]) -> tuple[str, list[int]]:
    """The text, and where in it each token begins."""
    text, starts, before = "", [], ""
    for token in tokens:
        text += "" if not text or _close_together(before, token) else " "
        starts.append(len(text))
        text, before = text + _SHOWN.get(token, token), token
    return text, starts


def _close_together(left: str, right: str) -> bool:
    """Whether no space stands between two tokens."""
    if left in _OPEN or _CLOSE.fullmatch(right):
        return True
    return (right == "--" and left[-1:].isdigit()) or (left == "--" and right[:1].isdigit())  # 1979–80
