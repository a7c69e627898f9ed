"""Stage `embed`: the vectors of all passages, or of all questions, for dense search.

A study runs the stage twice, once for the passages and once for the questions. So new questions do not need new vectors
of the passages. Each run writes one .npy array of float32 in slices of 1024 texts. After a kill, the stage continues at
the first incomplete slice.
"""

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from raft_exp.core.collection import Passages, hash64
from raft_exp.core.errors import ModelError
from raft_exp.core.npy import write_header
from raft_exp.core.progress import track
from raft_exp.core.records import Question, read_jsonl
from raft_exp.core.schema import config_dataclass
from raft_exp.core.stage import stage
from raft_exp.models.encoder import EncoderConfig, load, needs
from raft_exp.retrieval.dense import IDS, INDEX, VECTORS
from raft_exp.retrieval.nearest import build_index
from raft_exp.retrieval.text import searched_text

VERSION = 1
# Texts of a slice. It is constant, so that batches have the same texts after a kill: the other texts of a batch change
# the last bits of a vector.
_SLICE = 1024


@config_dataclass
class EmbedStage:
    """Settings that change the vectors."""

    encoder: EncoderConfig


@stage("embed", VERSION, resumable=True)
def embed_passages(config: EmbedStage, *, passages: Path, out: Path) -> None:
    """Writes vectors.npy, shape (passages, dimensions), in the order of the collection.

    Writes index.faiss too where there are more passages than `encoder.exact_up_to`. Raises ModelError where the encoder
    fails, or faiss is missing.
    """
    collection = Passages(passages)
    if len(collection) > config.encoder.exact_up_to:
        needs("faiss")
    texts = (searched_text(passage) for passage in collection)
    _embed(config.encoder, config.encoder.passage_prefix, texts, len(collection), out)
    if len(collection) > config.encoder.exact_up_to:
        build_index(np.load(out / VECTORS, mmap_mode="r"), out / INDEX)


@stage("embed", VERSION, resumable=True)
def embed_questions(config: EmbedStage, *, questions: Path, out: Path) -> None:
    """Writes vectors.npy, shape (questions, dimensions), in the order of questions.jsonl, and ids.npy.

    ids.npy has shape (2, questions): the hashes of the question ids, ascending, and below each hash the row number of
    the vector.
    Raises ModelError where the encoder fails.
    """
    file = questions / "questions.jsonl"
    ids = np.fromiter((hash64(question.id) for question in read_jsonl(file, Question)), dtype=np.uint64)
    order = np.argsort(ids, kind="stable").astype(np.uint64)
    np.save(out / IDS, np.stack([ids[order], order]))
    texts = (question.question for question in read_jsonl(file, Question))
    _embed(config.encoder, config.encoder.query_prefix, texts, len(ids), out)


def _embed(config: EncoderConfig, prefix: str, texts: Iterator[str], total: int, out: Path) -> None:
    encode = load(config)
    width = encode([""], prefix).shape[1]
    slices = iter(lambda: list(islice(texts, _SLICE)), [])
    with (out / VECTORS).open("r+b" if (out / VECTORS).exists() else "w+b") as file:
        done = _begun(file, total, width)
        for part in track(islice(slices, done, None), "embedding", -(-total // _SLICE), done):
            vectors = encode(part, prefix)
            if not np.isfinite(vectors).all():
                raise ModelError(
                    f"encoder.name_or_path={config.name_or_path!r}: the encoder returned a vector with NaN or "
                    "infinity; use another encoder"
                )
            file.write(vectors.tobytes())
        file.flush()
        os.fsync(file.fileno())
    (out / "counts.json").write_text(json.dumps({"vectors": total, "dimensions": width}), encoding="utf-8")


def _begun(file: BinaryIO, total: int, width: int) -> int:
    """Writes the header of the array, removes an incomplete last slice, and returns the number of complete slices."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    write_header(file, "<f4", (total, width))
    header, size = file.tell(), _SLICE * width * 4
    done = max(0, end - header) // size
    file.truncate(file.seek(header + done * size))
    return done
