"""Encodes short texts as vectors, for metrics of semantic similarity."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raft_exp.models import encoder
from raft_exp.models.encoder import Encode, EncoderConfig, EncodeTokens


class TextVectors:
    """Encodes texts as vectors of length 1, whatever `encoder.normalize` is. Caches the vector of each text.

    All texts get the prefix `encoder.query_prefix`, as is usual for the comparison of short texts.
    """

    def __init__(self, config: EncoderConfig) -> None:
        self._config = config
        self._encode: Encode | None = None
        self._encode_tokens: EncodeTokens | None = None
        self._known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns the vectors of the texts, shape (texts, dimensions), float32. `texts` must not be empty."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._encode = self._encode or encoder.load(self._config)
            vectors = _unit(self._encode(new, self._config.query_prefix))
            self._known |= dict(zip(new, vectors, strict=True))
        return np.stack([self._known[text] for text in texts])

    def tokens(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Returns the vectors of the tokens of each text, scaled to length 1: shape (tokens, dimensions), float32.

        Texts get no prefix here, and vectors are not cached. Tokens after `encoder.max_length` are left out.
        """
        self._encode_tokens = self._encode_tokens or encoder.load_tokens(self._config)
        return [_unit(vectors) for vectors in self._encode_tokens(list(texts))]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)
