"""Vectors of short texts for metrics that ask the sentence encoder."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raft_exp.models import encoder
from raft_exp.models.encoder import Encode, EncoderConfig


class TextVectors:
    """Vectors of length 1, whatever the encoder's own settings; a text is encoded once, whichever arm says it.

    Texts of both sides get `query_prefix`, as short texts that are compared with each other do.
    """

    def __init__(self, config: EncoderConfig) -> None:
        self._config = config
        self._encode: Encode | None = None
        self._known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (texts, dimensions)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._encode = self._encode or encoder.load(self._config)
            found = self._encode(new, self._config.query_prefix)
            lengths = np.linalg.norm(found, axis=1, keepdims=True)
            self._known |= dict(zip(new, found / np.where(lengths > 0, lengths, 1), strict=True))
        return np.stack([self._known[text] for text in texts])
