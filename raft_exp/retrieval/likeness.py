"""Similarity of passages and sentences to any text, e.g. to a question followed by its answer.

The interface is `Likeness`. `ByVectors` implements it for `retriever.name=dense`, `ByWords` for the other retrievers.
Both compare a text with a few candidates, e.g. the passages of one document. Only `ByVectors.nearest` searches the
whole collection.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from raft_exp.core import bm25s_package
from raft_exp.core.collection import Passages
from raft_exp.core.npy import Rows
from raft_exp.core.words import indexed
from raft_exp.models import encoder
from raft_exp.models.encoder import Encode, EncoderConfig
from raft_exp.retrieval.dense import INDEX, VECTORS
from raft_exp.retrieval.nearest import Exact, Indexed, products

_FIRST = 32  # hits of the first search for a nearest passage


class Likeness(Protocol):
    """Scores candidates by their similarity to a text: higher is more similar; 0 or less is unrelated."""

    def passages(self, text: str, ordinals: Sequence[int]) -> list[float]:
        """Returns a score for each passage; `ordinals` are positions in the collection."""

    def sentences(self, text: str, sentences: Sequence[str]) -> list[float]:
        """Returns a score for each sentence."""


class ByWords:
    """BM25 scores, with document frequencies counted over the candidates. Caches the index of the last passages."""

    def __init__(self, collection: Passages) -> None:
        self._collection = collection
        self._ordinals: tuple[int, ...] = ()

    def passages(self, text: str, ordinals: Sequence[int]) -> list[float]:
        """Returns the BM25 scores of passages against a text."""
        if self._ordinals != tuple(ordinals):
            self._ordinals = tuple(ordinals)
            self._index = _WordIndex([self._collection[at].text for at in ordinals])
        return self._index.scores(text)

    def sentences(self, text: str, sentences: Sequence[str]) -> list[float]:
        """Returns the BM25 scores of sentences against a text."""
        return by_words(text, sentences)


def by_words(text: str, sentences: Sequence[str]) -> list[float]:
    """Returns BM25 scores of sentences against a text, with document frequencies counted over these sentences.

    A sentence without a word of the text has the score 0.
    """
    return _WordIndex(sentences).scores(text)


class _WordIndex:
    def __init__(self, texts: Sequence[str]) -> None:
        self._index = bm25s_package.load().BM25()
        self._index.index([indexed(text) or [""] for text in texts], show_progress=False)
        self._size = len(texts)

    def scores(self, text: str) -> list[float]:
        known = [word for word in indexed(text) if word in self._index.vocab_dict]
        scores: list[float] = self._index.get_scores(known).tolist() if known else [0.0] * self._size
        return scores


class ByVectors:
    """Scores are dot products of the encoder's vectors. The encoder is loaded at the first comparison.

    `embedded`: the folder of stage `embed` with the vectors of the passages. The methods raise ModelError where the
    encoder cannot be loaded or runs out of memory.
    """

    def __init__(self, config: EncoderConfig, embedded: Path) -> None:
        self._config, self._vectors, self._index = config, Rows(embedded / VECTORS), embedded / INDEX
        self._encode: Encode | None = None

    def passages(self, text: str, ordinals: Sequence[int]) -> list[float]:
        """Returns the dot products of passages with a text."""
        return self._products(text, self._vectors, ordinals)

    def nearest(self, texts: Sequence[str]) -> list[int]:
        """Returns the nearest passage of the collection (its ordinal) for each text.

        The result is approximate if the vectors have a FAISS index.
        """
        queries = self._vectors_of(texts, self._config.query_prefix)
        everything = np.arange(len(self._vectors))
        exact = Exact(self._vectors, everything)
        first = Indexed(self._vectors, everything, self._index) if self._index.exists() else exact
        nearest = []
        for query, (places, _) in zip(queries, first.best(queries, _FIRST), strict=True):
            size = _FIRST
            while not len(places):  # an index may find none; an exact search leaves out scores that are nearly equal
                size *= 8
                ((places, _),) = exact.best(query[None], size)
            nearest.append(int(places[0]))
        return nearest

    def sentences(self, text: str, sentences: Sequence[str]) -> list[float]:
        """Returns the dot products of sentences with a text."""
        return self._products(text, self._vectors_of(sentences, self._config.passage_prefix), range(len(sentences)))

    def _products(self, text: str, vectors: np.ndarray | Rows, rows: Sequence[int]) -> list[float]:
        (query,) = self._vectors_of([text], self._config.query_prefix)
        scores: list[float] = products(query, vectors, np.array(rows, dtype=np.int64)).tolist()
        return scores

    def _vectors_of(self, texts: Sequence[str], prefix: str) -> np.ndarray:
        self._encode = self._encode or encoder.load(self._config)
        return self._encode([*texts], prefix)
