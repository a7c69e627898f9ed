"""A BM25 index on disk: for each word the passages that hold it, and what the word adds to the score of each.

Words, form (Lucene's) and scores are those of bm25s, to the bit. Its own way of building holds every word of the
collection in memory several times over; here it is a chunk of the texts, then a part of the words. A word is known by
a 64-bit hash, as ids are (`passages.py`), so that no vocabulary has to be in memory either.
"""

import math
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from raft_exp.core.collection import hash64, mapped
from raft_exp.core.npy import Column

WORDS, STARTS, HOLDERS, SCORES, LENGTHS = (
    "words.npy",  # (words,) hashes, rising
    "starts.npy",  # (words + 1,) where the postings of each begin
    "holders.npy",  # (postings,) ordinals of the passages, rising for one word
    "scores.npy",  # (postings,)
    "lengths.npy",  # (passages,) words of each passage
)
K1, B = 1.5, 0.75  # bm25s's
_CHUNK = 4_000_000  # characters of text in memory at a time
_POSTING = np.dtype([("word", "<u8"), ("holder", "<u4"), ("count", "<u4")])


def tokens(text: str) -> list[str]:
    """The words of a text that count: lower case, two letters at least, no English stop words."""
    import bm25s

    (found,) = bm25s.tokenize([text], stopwords="en", return_ids=False, show_progress=False)
    return [str(word) for word in found]


def write(folder: Path, texts: Iterable[str], parts: int = 1) -> dict[str, int]:
    """Writes the index of the texts into a folder; returns counts. The same bytes come out whatever the parts.

    One of so many parts of the postings is in memory at a time, and never less than those of the commonest word: they
    take some 60 bytes each while they are put in order.
    """
    lengths, files = array("I"), [folder / f"part{number}" for number in range(parts)]
    for chunk in _chunks(texts):
        postings, sizes = _counted(chunk, len(lengths))
        lengths.extend(sizes)
        for file, piece in zip(files, _split(postings, parts), strict=True):
            with file.open("ab") as opened:
                piece.tofile(opened)
    np.save(folder / LENGTHS, np.frombuffer(lengths, dtype=np.uint32))
    words, total = _finish(folder, files, np.frombuffer(lengths, dtype=np.uint32))
    return {"passages": len(lengths), "words": words, "postings": total}


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    chunk, size = list[str](), 0
    for text in texts:
        chunk.append(text)
        size += len(text)
        if size >= _CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _counted(texts: list[str], first: int) -> tuple[np.ndarray, list[int]]:
    """The postings of some texts, by word hash and then by passage, and the number of words of each text."""
    import bm25s

    found = bm25s.tokenize(texts, stopwords="en", return_ids=True, show_progress=False)
    sizes = [len(words) for words in found.ids]
    names = np.zeros(len(found.vocab), dtype=np.uint64)
    for word, number in found.vocab.items():
        names[number] = hash64(word)
    order = np.argsort(names)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    flat = np.fromiter(chain.from_iterable(found.ids), dtype=np.int64, count=sum(sizes))
    keys, counts = np.unique(rank[flat] * len(texts) + np.repeat(np.arange(len(texts)), sizes), return_counts=True)
    postings = np.empty(len(keys), dtype=_POSTING)
    postings["word"], postings["holder"] = names[order][keys // len(texts)], keys % len(texts) + first
    postings["count"] = counts
    return postings, sizes


def _split(postings: np.ndarray, parts: int) -> list[np.ndarray]:
    """Hashes are evenly spread: so are the words over equal ranges of them."""
    borders = np.array([2**64 * number // parts for number in range(1, parts)], dtype=np.uint64)
    return np.split(postings, np.searchsorted(postings["word"], borders))


def _finish(folder: Path, files: list[Path], lengths: np.ndarray) -> tuple[int, int]:
    """Part by part to the finished columns; returns how many words and postings there are."""
    words = postings = 0
    with (
        Column(folder / WORDS, "<u8") as names,
        Column(folder / STARTS, "<i8") as starts,
        Column(folder / HOLDERS, "<u4") as holders,
        Column(folder / SCORES, "<f4") as scores,
    ):
        for file in files:
            part = np.fromfile(file, dtype=_POSTING) if file.exists() else np.empty(0, dtype=_POSTING)
            part = part[np.argsort(part["word"], kind="stable")]  # chunk after chunk: holders rise already
            first = np.flatnonzero(np.diff(part["word"], prepend=~part["word"][:1]))
            names.extend(part["word"][first])
            starts.extend(postings + first)
            holders.extend(part["holder"])
            scores.extend(_scores(part, first, lengths))
            words, postings = words + len(first), postings + len(part)
            file.unlink(missing_ok=True)
        starts.add(postings)
    return words, postings


def _scores(part: np.ndarray, first: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    held = np.diff(first, append=len(part))
    rarity = np.repeat(_rarity(held, len(lengths)), held)
    length = K1 * ((1 - B) + B * lengths[part["holder"]] / lengths.mean())
    scores: np.ndarray = rarity * (part["count"] / (length + part["count"]))
    return scores


def _rarity(held: np.ndarray, passages: int) -> np.ndarray:
    # math.log, not numpy's: that one may differ in the last bit from one processor to another
    numbers, places = np.unique(held, return_inverse=True)
    known = [math.log(1 + (passages - number + 0.5) / (number + 0.5)) for number in numbers.tolist()]
    return np.array(known, dtype=np.float32)[places].astype(np.float64)


class Postings:
    """The index in a folder. It is memory-mapped: only the postings of the words that are asked for are read."""

    def __init__(self, folder: Path) -> None:
        self._words, self._starts = mapped(folder / WORDS), mapped(folder / STARTS)
        self._holders, self._scores = mapped(folder / HOLDERS), mapped(folder / SCORES)
        self._size = len(mapped(folder / LENGTHS))

    def scores(self, text: str) -> np.ndarray:
        """Shape (passages,), float32: the BM25 score of every passage; a word asked twice counts twice."""
        scores = np.zeros(self._size, dtype=np.float32)
        for word in tokens(text):
            name = np.uint64(hash64(word))
            place = int(self._words.searchsorted(name))
            if place < len(self._words) and self._words[place] == name:
                held = slice(int(self._starts[place]), int(self._starts[place + 1]))
                scores[self._holders[held]] += self._scores[held]
        return scores
