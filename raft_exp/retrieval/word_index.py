"""A BM25 index on disk: for each word, the passages that contain it and the word's BM25 score in each of them.

The scores (Lucene's variant of BM25) equal those of bm25s to the bit. Texts of published data sets are split into words
as in bm25s (`tokens`); texts of the user's own corpora may be in any language (`raft_exp.core.words.indexed`).

bm25s builds its index in memory. This module has only a chunk of the texts, or a part of the postings, in memory at a
time. It stores words as 64-bit hashes, so that it needs no vocabulary in memory.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from raft_exp.core import bm25s_package
from raft_exp.core.collection import ANY_LANGUAGE, hash64, mapped
from raft_exp.core.npy import Column, Rows
from raft_exp.core.words import indexed

WORDS, STARTS, HOLDERS, SCORES, LENGTHS = (
    "words.npy",  # (words,) hashes, ascending
    "starts.npy",  # (words + 1,) first posting of each word
    "holders.npy",  # (postings,) ordinals of passages, ascending within a word
    "scores.npy",  # (postings,)
    "lengths.npy",  # (passages,) number of words of each passage
)
K1, B = 1.5, 0.75  # the defaults of bm25s
_CHUNK = 4_000_000  # characters of text in memory at a time
_BLOCK = 2**20  # postings of a word that are read at once
_MOST = 6_000_000  # postings of a part that are sorted at once; a word may have more
_POSTING = np.dtype([("word", "<u8"), ("holder", "<u4"), ("count", "<u4")])


def tokens(text: str) -> list[str]:
    """Splits a text into words as bm25s does: lower case, at least two characters, no English stop words."""
    (words,) = bm25s_package.load().tokenize([text], stopwords="en", return_ids=False, show_progress=False)
    return [str(word) for word in words]


def write(folder: Path, texts: Iterable[str], parts: int = 1, any_language: bool = False) -> dict[str, int]:
    """Writes the index of the texts into a folder. Returns the numbers of passages, words and postings.

    `any_language`: texts are split into words by `indexed` instead of `tokens`. `parts`: the number of parts in which
    the postings are sorted. One part is in memory at a time (about 60 bytes for each posting), or some million postings
    of a large part. All postings of a word are in one part. The files are the same for every value of `parts`.
    """
    count(folder, texts, 0, parts, any_language)
    return finish(folder, [folder], parts, any_language)


def count(folder: Path, texts: Iterable[str], first: int, parts: int, any_language: bool) -> None:
    """Counts the words of the texts, the first step of `write`: writes lengths.npy and a file for each part.

    `first`: the ordinal of the first text in its collection.
    """
    lengths, files = array("I"), _part_files(folder, parts)
    for chunk in _chunks(texts):
        postings, sizes = _counted(chunk, first + len(lengths), any_language)
        lengths.extend(sizes)
        for file, piece in zip(files, _split(postings, parts), strict=True):
            with file.open("ab") as opened:
                piece.tofile(opened)
    np.save(folder / LENGTHS, np.array(lengths, dtype=np.uint32))


def finish(folder: Path, counted: Sequence[Path], parts: int, any_language: bool) -> dict[str, int]:
    """Writes the index, the last step of `write`. Returns the numbers of passages, words and postings.

    `counted`: the folders of `count`, in the order of their texts. The files of the parts in `folder` are deleted.
    """
    if any_language:
        (folder / ANY_LANGUAGE).touch()
    lengths = np.concatenate([np.load(each / LENGTHS) for each in counted])
    np.save(folder / LENGTHS, lengths)
    words, total = _finish(folder, [_part_files(each, parts) for each in counted], lengths)
    return {"passages": len(lengths), "words": words, "postings": total}


def _part_files(folder: Path, parts: int) -> list[Path]:
    return [folder / f"part{number}" for number in range(parts)]


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
    """Splits texts into words. Returns the word numbers of each text, and the number of each word."""
    if any_language:
        numbers: dict[str, int] = {}
        return [[numbers.setdefault(word, len(numbers)) for word in indexed(text)] for text in texts], numbers
    tokenized = bm25s_package.load().tokenize(texts, stopwords="en", return_ids=True, show_progress=False)
    return tokenized.ids, tokenized.vocab


def _counted(texts: list[str], first: int, any_language: bool) -> tuple[np.ndarray, list[int]]:
    """Returns the postings of a chunk of texts, sorted by word hash and passage, and the number of words of each text.

    `first`: the ordinal of the first text.
    """
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
    """Splits postings by equal ranges of the word hash. Hashes are uniform, so parts have about equally many words."""
    borders = np.array([2**64 * number // parts for number in range(1, parts)], dtype=np.uint64)
    return np.split(postings, np.searchsorted(postings["word"], borders))


def _finish(folder: Path, counted: list[list[Path]], lengths: np.ndarray) -> tuple[int, int]:
    """Writes the columns of the index part by part, and deletes the files of the parts in `folder`.

    `counted`: the files of the parts, a list for each folder. `lengths`: number of words of each passage. Returns the
    numbers of words and postings.
    """
    words = postings = 0
    with (
        Column(folder / WORDS, "<u8") as names,
        Column(folder / STARTS, "<i8") as starts,
        Column(folder / HOLDERS, "<u4") as holders,
        Column(folder / SCORES, "<f4") as scores,
    ):
        for files in zip(*counted, strict=True):
            for run in _runs(files):
                names.extend(run.words)
                starts.extend(postings + run.starts)
                holders.extend(run.postings["holder"])
                scores.extend(_scores(run, lengths))
                words, postings = words + len(run.words), postings + len(run.postings)
            for file in files:
                if file.parent == folder:
                    file.unlink(missing_ok=True)
        starts.add(postings)
    return words, postings


@dataclass(frozen=True)
class _Run:
    """Postings sorted by word, then by passage."""

    postings: np.ndarray
    words: np.ndarray  # hashes of the words whose first posting is in this run
    starts: np.ndarray  # places of these first postings
    holders: np.ndarray  # number of passages that contain each word of this run
    counts: np.ndarray  # number of postings of each word in this run


def _runs(files: Sequence[Path]) -> Iterator[_Run]:
    """Sorts the postings of a part. Yields at most `_MOST` at once; the postings of one word may be in several runs."""
    total = sum(file.stat().st_size for file in files if file.exists()) // _POSTING.itemsize
    if total <= _MOST:
        yield _sorted(_read(files), total)
        return
    words, counts = _counts(files)
    first = 0
    while first < len(words):
        after = max(first + 1, first + int(np.searchsorted(np.cumsum(counts[first:]), _MOST, "right")))
        low, high = words[first], words[after - 1]
        chosen = (block[(block["word"] >= low) & (block["word"] <= high)] for block in _read(files))
        if counts[first] <= _MOST:
            yield _sorted(chosen, int(counts[first:after].sum()))
        else:
            yield from _of_word(chosen, int(counts[first]))
        first = after


def _sorted(pieces: Iterable[np.ndarray], count: int) -> _Run:
    part, end = np.empty(count, dtype=_POSTING), 0
    for piece in pieces:
        part[end : end + len(piece)] = piece
        end += len(piece)
    part = part[np.argsort(part["word"], kind="stable")]  # stable: chunks came in order, so holders stay ascending
    starts = np.flatnonzero(np.diff(part["word"], prepend=~part["word"][:1]))
    holders = np.diff(starts, append=len(part))
    return _Run(part, part["word"][starts], starts, holders, holders)


def _of_word(pieces: Iterable[np.ndarray], count: int) -> Iterator[_Run]:
    """Yields the `count` postings of one word, which are in order."""
    start = np.array([0])
    for piece in pieces:
        if len(piece):
            yield _Run(piece, piece["word"][start], start, np.array([count]), np.array([len(piece)]))
            start = start[:0]


def _counts(files: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the words of a part, ascending, and the number of postings of each."""
    words, counts = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
    for block in _read(files):
        both = [np.concatenate(pair) for pair in zip((words, counts), np.unique_counts(block["word"]), strict=True)]
        words, places = np.unique(both[0], return_inverse=True)
        counts = np.zeros(len(words), dtype=np.int64)
        np.add.at(counts, places, both[1])
    return words, counts


def _read(files: Sequence[Path]) -> Iterator[np.ndarray]:
    """Yields the postings of the files in order, a block at a time."""
    for file in files:
        size = file.stat().st_size // _POSTING.itemsize if file.exists() else 0
        for start in range(0, size, _BLOCK):
            yield np.fromfile(file, dtype=_POSTING, count=_BLOCK, offset=start * _POSTING.itemsize)


def _scores(run: _Run, lengths: np.ndarray) -> np.ndarray:
    rarity = np.repeat(_inverse_frequency(run.holders, len(lengths)), run.counts)
    length = K1 * ((1 - B) + B * lengths[run.postings["holder"]] / lengths.mean())
    scores: np.ndarray = rarity * (run.postings["count"] / (length + run.postings["count"]))
    return scores


def _inverse_frequency(holders: np.ndarray, passages: int) -> np.ndarray:
    # math.log: the last bit of numpy's logarithm differs between processors
    numbers, places = np.unique(holders, return_inverse=True)
    values = [math.log(1 + (passages - number + 0.5) / (number + 0.5)) for number in numbers.tolist()]
    return np.array(values, dtype=np.float32)[places].astype(np.float64)


class Postings:
    """Reads the index in a folder: its words by a memory map, and the postings of a query's words from the disk."""

    def __init__(self, folder: Path) -> None:
        self._words, self._starts = mapped(folder / WORDS), mapped(folder / STARTS)
        self._holders, self._scores = Rows(folder / HOLDERS), Rows(folder / SCORES)
        self._size = len(mapped(folder / LENGTHS))
        self._words_in = indexed if (folder / ANY_LANGUAGE).exists() else tokens

    def scores(self, text: str) -> np.ndarray:
        """Returns the BM25 score of every passage, shape (passages,), float32. A repeated word counts each time."""
        scores = np.zeros(self._size, dtype=np.float32)
        for word in self._words_in(text):
            name = np.uint64(hash64(word))
            place = int(self._words.searchsorted(name))
            if place < len(self._words) and self._words[place] == name:
                end = int(self._starts[place + 1])
                for start in range(int(self._starts[place]), end, _BLOCK):
                    postings = slice(start, min(start + _BLOCK, end))
                    scores[self._holders[postings]] += self._scores[postings]
        return scores
