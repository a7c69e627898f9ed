"""Sentence splitting without loss: `"".join(split_sentences(text)) == text`; white space belongs to the next sentence.

The rules are those of sentencex (Wikimedia, MIT), which needs no model and does not split at "vs.", "i.e.", "et al." or
"P = .03". Its version is part of the stage keys, because evidence is stored as sentence numbers.
"""

import re
from itertools import pairwise

import sentencex

_WIDE_SPACE = re.compile(r"[^\S\x00-\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def split_sentences(text: str) -> list[str]:
    """The sentences of an English text; sentences after the first keep their leading space, as in HotpotQA."""
    starts = [0]
    position = 0
    for sentence in sentencex.segment("en", _plain(text)):
        end = position + len(sentence.rstrip())
        # White space between paragraphs belongs to the sentence that follows.
        if end > position:
            starts.append(end)
        position += len(sentence)
    starts[-1] = len(text)  # white space at the end belongs to the last sentence
    return [text[start:end] for start, end in pairwise(starts)] or ([text] if text else [])


def _plain(text: str) -> str:
    """Replaces characters that the splitter fails on (lone surrogates, non-ASCII spaces); keeps the length."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", _WIDE_SPACE.sub(" ", text))
