"""Similarity of texts by the vectors of the study's sentence encoder (`encoder=...`)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raft_exp.evaluation.metrics.answers import harmonic
from raft_exp.evaluation.metrics.graded import Graded, Vectors

_TEXTS_AT_ONCE = 64  # bounds the memory for the vectors of tokens
_DECIMALS = 3  # of a similarity: the last bits of an encoder's output differ between machines


def semantic_similarity(rows: Sequence[Graded], vectors: Vectors) -> list[float]:
    """Returns for each row the highest cosine similarity of its text to one of its references.

    Negative cosines and empty texts score 0.

    `vectors` encodes texts as unit vectors.
    """
    texts = vectors([row.text for row in rows])
    references = vectors([reference for row in rows for reference in row.references])
    ends = np.cumsum([len(row.references) for row in rows])
    cosines = (
        float((references[end - len(row.references) : end] @ vector).max()) if row.text.strip() else 0.0
        for row, vector, end in zip(rows, texts, ends, strict=True)
    )
    return [_in_bounds(cosine) for cosine in cosines]


def token_similarity(rows: Sequence[Graded], vectors: Vectors) -> list[float]:
    """Returns for each row the F1 of matching its tokens with those of a reference; the maximum over its references.

    This is the matching of BERTScore (Zhang et al. 2020) with the study's sentence encoder in place of BERT, so the
    values cannot be compared with published ones. Precision is the mean, over the tokens of the text, of the highest
    cosine to a token of the reference; recall is the same with the roles exchanged. Tokens have no weights, and the
    values are not rescaled. Tokens after `encoder.max_length` are left out. A text without tokens scores 0.

    `vectors` encodes the tokens of texts as unit vectors.
    """
    pairs = [(place, row.text, reference) for place, row in enumerate(rows) for reference in row.references]
    best = [0.0] * len(rows)
    for start in range(0, len(pairs), _TEXTS_AT_ONCE):
        part = pairs[start : start + _TEXTS_AT_ONCE]
        texts = vectors.tokens([text for _, text, _ in part])
        references = vectors.tokens([reference for _, _, reference in part])
        for (place, _, _), text, reference in zip(part, texts, references, strict=True):
            best[place] = max(best[place], _matched(text, reference))
    return [_in_bounds(value) for value in best]


def _matched(text: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    if not len(text) or not len(reference):
        return 0.0
    cosines = text @ reference.T
    return harmonic(*(max(0.0, float(cosines.max(axis=axis).mean())) for axis in (1, 0)))


def _in_bounds(value: float) -> float:
    return round(min(1.0, max(0.0, value)), _DECIMALS)
