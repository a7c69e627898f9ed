"""A BM25 index on disk: for each word the passages that hold it and the word's part of their scores.

Scores (Lucene's form of BM25) equal those of bm25s to the bit, and so do the words of published data sets; those of the
user's own corpora are in any language (`core.words`). bm25s builds its index in memory; here only a
chunk of the texts, then a part of the postings is in memory. Words are stored as 64-bit hashes, as the ids of
`raft_exp.core.collection` are, so that no vocabulary is held in memory.
"""

import math
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from raft_exp.core.collection import ANY_LANGUAGE, hash64, mapped
from raft_exp.core.npy import Column
from raft_exp.core.words import indexed

WORDS, STARTS, HOLDERS, SCORES, LENGTHS = (
    "words.npy",  # (words,) hashes, ascending
    "starts.npy",  # (words + 1,) first posting of each word
    "holders.npy",  # (postings,) ordinals of passages, ascending within a word
    "scores.npy",  # (postings,)
    "lengths.npy",  # (passages,) words of each passage
)
K1, B = 1.5, 0.75  # the defaults of bm25s
_CHUNK = 4_000_000  # characters of text in memory at a time
_POSTING = np.dtype([("word", "<u8"), ("holder", "<u4"), ("count", "<u4")])


def tokens(text: str) -> list[str]:
    """The indexed words of a text: lower case, at least two letters, no English stop words."""
    import bm25s

    (words,) = bm25s.tokenize([text], stopwords="en", return_ids=False, show_progress=False)
    return [str(word) for word in words]


def write(folder: Path, texts: Iterable[str], parts: int = 1, any_language: bool = False) -> dict[str, int]:
    """Writes the index of the texts into a folder and returns counts. The bytes do not depend on `parts`.

    `any_language`: the words are those of `indexed`; otherwise of `tokens`, as for published data sets.

    The postings are sorted in `parts` parts, one in memory at a time (about 60 bytes a posting). A part is at least as
    large as the postings of the most frequent word.
    """
    if any_language:
        (folder / ANY_LANGUAGE).touch()
    lengths, files = array("I"), [folder / f"part{number}" for number in range(parts)]
    for chunk in _chunks(texts):
        postings, sizes = _counted(chunk, len(lengths), any_language)
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


def _numbered(texts: list[str], any_language: bool) -> tuple[list[list[int]], dict[str, int]]:
    """The words of each text as numbers, and the number of each word."""
    if any_language:
        numbers: dict[str, int] = {}
        return [[numbers.setdefault(word, len(numbers)) for word in indexed(text)] for text in texts], numbers
    import bm25s

    tokenized = bm25s.tokenize(texts, stopwords="en", return_ids=True, show_progress=False)
    return tokenized.ids, tokenized.vocab


def _counted(texts: list[str], first: int, any_language: bool) -> tuple[np.ndarray, list[int]]:
    """The postings of a chunk of texts, sorted by word hash and passage, and the number of words of each text."""
    ids, vocabulary = _numbered(texts, any_language)
    sizes = [len(words) for words in ids]
    hashes = np.zeros(len(vocabulary), dtype=np.uint64)
    for word, number in vocabulary.items():
        hashes[number] = hash64(word)
    order = np.argsort(hashes)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    flat = np.fromiter(chain.from_iterable(ids), dtype=np.int64, count=sum(sizes))
    keys, counts = np.unique(rank[flat] * len(texts) + np.repeat(np.arange(len(texts)), sizes), return_counts=True)
    postings = np.empty(len(keys), dtype=_POSTING)
    postings["word"], postings["holder"] = hashes[order][keys // len(texts)], keys % len(texts) + first
    postings["count"] = counts
    return postings, sizes


def _split(postings: np.ndarray, parts: int) -> list[np.ndarray]:
    """Splits postings by equal ranges of the hash; hashes are uniform, so each part has about as many words."""
    borders = np.array([2**64 * number // parts for number in range(1, parts)], dtype=np.uint64)
    return np.split(postings, np.searchsorted(postings["word"], borders))


def _finish(folder: Path, files: list[Path], lengths: np.ndarray) -> tuple[int, int]:
    """Writes the columns part by part, deletes the part files and returns the numbers of words and postings."""
    words = postings = 0
    with (
        Column(folder / WORDS, "<u8") as names,
        Column(folder / STARTS, "<i8") as starts,
        Column(folder / HOLDERS, "<u4") as holders,
        Column(folder / SCORES, "<f4") as scores,
    ):
        for file in files:
            part = np.fromfile(file, dtype=_POSTING) if file.exists() else np.empty(0, dtype=_POSTING)
            part = part[
                np.argsort(part["word"], kind="stable")
            ]  # stable: chunks came in order, so holders stay ascending
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
    holders = np.diff(first, append=len(part))  # passages that hold each word
    rarity = np.repeat(_inverse_frequency(holders, len(lengths)), holders)
    length = K1 * ((1 - B) + B * lengths[part["holder"]] / lengths.mean())
    scores: np.ndarray = rarity * (part["count"] / (length + part["count"]))
    return scores


def _inverse_frequency(holders: np.ndarray, passages: int) -> np.ndarray:
    # math.log: the last bit of numpy's logarithm differs between processors
    numbers, places = np.unique(holders, return_inverse=True)
    values = [math.log(1 + (passages - number + 0.5) / (number + 0.5)) for number in numbers.tolist()]
    return np.array(values, dtype=np.float32)[places].astype(np.float64)


class Postings:
    """The index in a folder, memory-mapped: a query reads the postings of its own words only."""

    def __init__(self, folder: Path) -> None:
        self._words, self._starts = mapped(folder / WORDS), mapped(folder / STARTS)
        self._holders, self._scores = mapped(folder / HOLDERS), mapped(folder / SCORES)
        self._size = len(mapped(folder / LENGTHS))
        self._words_in = indexed if (folder / ANY_LANGUAGE).exists() else tokens

    def scores(self, text: str) -> np.ndarray:
        """Shape (passages,), float32: the BM25 score of every passage. Words count as often as they occur in `text`."""
        scores = np.zeros(self._size, dtype=np.float32)
        for word in self._words_in(text):
            name = np.uint64(hash64(word))
            place = int(self._words.searchsorted(name))
            if place < len(self._words) and self._words[place] == name:
                postings = slice(int(self._starts[place]), int(self._starts[place + 1]))
                scores[self._holders[postings]] += self._scores[postings]
        return scores
