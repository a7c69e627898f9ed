"""Similarity of texts by the vectors of the study's sentence encoder (`encoder=...`)."""

from collections.abc import Sequence

import numpy as np

from raft_exp.evaluation.metrics.graded import Graded, Vectors

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
    return [round(min(1.0, max(0.0, cosine)), _DECIMALS) for cosine in cosines]
