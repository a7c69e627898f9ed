"""Sentence splitting without loss: `"".join(split_sentences(text)) == text`; white space belongs to the next sentence.

The rules are those of sentencex (Wikimedia, MIT), which needs no model and does not split at "vs.", "i.e.", "et al." or
"P = .03". The version of sentencex is in the stage keys, because evidence is stored as sentence numbers.
"""

import re
from itertools import pairwise

import sentencex

_WIDE_SPACE = re.compile(r"[^\S\x00-\x7f]")
# Full stops of Chinese, Japanese, Khmer and Burmese, which need no space behind them, and of Tibetan, which need one.
_WIDE_STOP = re.compile(r"""[。！？｡។៕။]+[」』”’）》〉】)"']*|[།༎](?= )""")
_WITHOUT_STOPS = re.compile("[\u0e00-\u0eff]{4}")
_BEFORE_BLANK = re.compile("(?<=[\u0e00-\u0eff])(?= )")
_CLAUSE = 40  # characters: shortest part of a Thai or Lao sentence
_SURROGATE = re.compile("[\ud800-\udfff]")


def split_sentences(text: str) -> list[str]:
    """Returns the sentences of an English text. Sentences after the first keep their leading space, as in HotpotQA."""
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


def sentences_of(text: str) -> list[str]:
    """Returns the sentences of a text in any language, without loss.

    The text is first split by `split_sentences`. Then a full stop of Chinese, Japanese, Khmer or Burmese always ends a
    sentence; that of Tibetan ends one before a space. Thai and Lao have no full stops: long sentences are cut at
    spaces.
    """
    sentences = split_sentences(text)
    if text.isascii():
        return sentences
    return [part for sentence in sentences for piece in _cut(sentence, _WIDE_STOP) for part in _clauses(piece)]


def _cut(text: str, pattern: re.Pattern[str]) -> list[str]:
    places = [0, *(match.end() for match in pattern.finditer(text) if match.end() < len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


def _clauses(sentence: str) -> list[str]:
    """Returns the parts of a long Thai or Lao sentence, each with at least _CLAUSE characters; else [sentence]."""
    if len(sentence) < 2 * _CLAUSE or not _WITHOUT_STOPS.search(sentence):
        return [sentence]
    parts = [""]
    for part in _cut(sentence, _BEFORE_BLANK):
        if len(parts[-1]) < _CLAUSE:
            parts[-1] += part
        else:
            parts.append(part)
    if len(parts) > 1 and len(parts[-1]) < _CLAUSE:
        parts[-2:] = ["".join(parts[-2:])]
    return parts


def _plain(text: str) -> str:
    """Replaces characters on which the splitter fails (lone surrogates, non-ASCII spaces); keeps the length."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", _WIDE_SPACE.sub(" ", text))
