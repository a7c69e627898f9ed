"""Cuts documents where the topic changes (corpus.chunk.by=semantic), measured by a sentence encoder.

The distance at the end of a sentence is measured between the vectors of the two sentences before it and of the two
sentences after it. A passage ends where this distance is among the largest 5% of the document, or where the passage
would exceed `size`. Passages overlap only at ends of the second kind. The limit by percentile is that of the semantic
chunkers of LlamaIndex and rag-colls (after G. Kamradt, "5 levels of text splitting"). Those compare windows
that overlap, which places the end a sentence too early or too late.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from raft_exp.core.progress import track
from raft_exp.core.schema import identity
from raft_exp.corpora.documents.chunks import Chunk, Flow, cut, flows, packed
from raft_exp.corpora.documents.extraction import Settings, write_passages
from raft_exp.corpora.documents.extraction import parts as parts_of
from raft_exp.corpora.documents.units import fitting
from raft_exp.corpora.readers.documents.document import Part
from raft_exp.models.encoder import Encode, EncoderConfig, load
from raft_exp.models.encoder import files as files_of

VERSION = 1  # raised when the same vectors give other passages

_SHARE = 95  # percentile of the distances in a document above which a passage ends
_FEWEST = 4  # sentences of a flow that may hold several topics


def identity_of(config: EncoderConfig) -> str:
    """Returns a digest of the encoder: its settings, and its local files by size and modification time."""
    files = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files_of(config)]
    return hashlib.sha256(json.dumps([VERSION, identity(config), files]).encode()).hexdigest()[:12]


def cut_documents(keys: Sequence[str], settings: Settings, scratch: Path, config: EncoderConfig) -> None:
    """Writes the missing passages of the documents with these keys. Loads the encoder only if any are missing."""
    waiting = [key for key in keys if not settings.passages(key).exists()]
    if not waiting:
        return
    encode = load(config)
    for key in track(waiting, "cutting documents", total=len(waiting)):
        found = chunks(parts_of(key, settings), settings.size, settings.overlap, encode, config.passage_prefix)
        write_passages(key, found, settings, scratch)


def chunks(parts: Sequence[Part], size: int, overlap: int, encode: Encode, prefix: str) -> Iterator[Chunk]:
    """Yields the passages of a document in order.

    Rows, records and flows of fewer than 4 sentences are packed as with `by="sentences"`. `encode`, `prefix`: the
    encoder, and the text that it needs before each passage.
    """
    all_flows = list(flows(parts))
    starts = [flow.sentences() for flow in all_flows]
    distances = [_distances(flow, places, encode, prefix) for flow, places in zip(all_flows, starts, strict=True)]
    together = np.concatenate([np.empty(0), *distances])
    limit = float(np.percentile(together, _SHARE)) if together.size else 0.0
    for flow, places, own in zip(all_flows, starts, distances, strict=True):
        if not own.size:
            yield from cut(flow, size, overlap)
            continue
        ends = [number for number, distance in enumerate(own, start=1) if distance > limit]
        for first, last in pairwise([0, *ends, len(places) - 1]):
            spans = pairwise(places[first : last + 1])
            yield from packed(flow, places, fitting(flow.text, spans, size), size, overlap)


def _distances(flow: Flow, starts: list[int], encode: Encode, prefix: str) -> NDArray[np.float64]:
    """Returns the distances (1 - cosine) at the sentence ends except the last; empty for rows and for few sentences."""
    count = len(starts) - 1
    if flow.is_rows or count < _FEWEST:
        return np.empty(0)
    pairs = ((max(0, place - 1), min(count, place + 1)) for place in range(count + 1))  # sentence + sentence before
    vectors = encode([flow.text[starts[first] : starts[last]].strip() for first, last in pairs], prefix)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(1.0 - np.einsum("ij,ij->i", vectors[:-2], vectors[2:]), dtype=np.float64)
