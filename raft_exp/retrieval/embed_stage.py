"""Stage `embed`: vectors of all passages, and of all questions, for dense search.

Two results of one encoder, so that other questions leave the passages' vectors as they are. Both are one .npy array
of float32 on disk, written slice by slice: a killed run goes on with the slice that it was in.
"""

import json
import os
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from raft_exp.core.collection import Passages, hash64
from raft_exp.core.errors import ModelError
from raft_exp.core.progress import track
from raft_exp.core.records import Question, read_jsonl
from raft_exp.core.schema import config_dataclass
from raft_exp.core.stage import stage
from raft_exp.models import encoder
from raft_exp.models.encoder import EncoderConfig
from raft_exp.retrieval.dense import IDS, INDEX, VECTORS
from raft_exp.retrieval.nearest import build_index
from raft_exp.retrieval.text import searched

VERSION = 1
_SLICE = 1024  # texts; fixed, so that the same texts stand in a batch together after a kill


@config_dataclass
class EmbedStage:
    """Settings that change the vectors."""

    encoder: EncoderConfig


@stage("embed", VERSION, resumable=True)
def embed_passages(config: EmbedStage, *, passages: Path, out: Path) -> None:
    """Writes vectors.npy (passages, dimensions) in the collection's order and, above `exact_up_to`, index.faiss."""
    collection = Passages(passages)
    if len(collection) > config.encoder.exact_up_to:
        encoder.needs("faiss")
    texts = (searched(passage) for passage in collection)
    _embed(config.encoder, config.encoder.passage_prefix, texts, len(collection), out)
    if len(collection) > config.encoder.exact_up_to:
        build_index(np.load(out / VECTORS, mmap_mode="r"), out / INDEX)


@stage("embed", VERSION, resumable=True)
def embed_questions(config: EmbedStage, *, questions: Path, out: Path) -> None:
    """Writes vectors.npy (questions, dimensions) in the file's order, and ids.npy to find a question's row."""
    file = questions / "questions.jsonl"
    ids = np.fromiter((hash64(question.id) for question in read_jsonl(file, Question)), dtype=np.uint64)
    order = np.argsort(ids, kind="stable").astype(np.uint64)
    np.save(out / IDS, np.stack([ids[order], order]))
    texts = (question.question for question in read_jsonl(file, Question))
    _embed(config.encoder, config.encoder.query_prefix, texts, len(ids), out)


def _embed(config: EncoderConfig, prefix: str, texts: Iterator[str], total: int, out: Path) -> None:
    encode = encoder.load(config)
    width = encode([""], prefix).shape[1]
    slices = iter(lambda: list(islice(texts, _SLICE)), [])
    with (out / VECTORS).open("r+b" if (out / VECTORS).exists() else "w+b") as file:
        done = _begun(file, total, width)
        for part in track(islice(slices, done, None), "embedding", -(-total // _SLICE), done):
            vectors = encode(part, prefix)
            if not np.isfinite(vectors).all():
                raise ModelError(
                    f"encoder.name_or_path={config.name_or_path!r}: it made a vector that is not finite; "
                    "use another encoder"
                )
            file.write(vectors.tobytes())
        file.flush()
        os.fsync(file.fileno())
    (out / "counts.json").write_text(json.dumps({"vectors": total, "dimensions": width}))


def _begun(file: BinaryIO, total: int, width: int) -> int:
    """How many whole slices stand in the file, which is left at their end; begins a new one with an array's header."""
    header, write_header = BytesIO(), cast(Any, np.lib.format).write_array_header_1_0
    write_header(header, {"descr": "<f4", "fortran_order": False, "shape": (total, width)})
    size = _SLICE * width * 4
    done = max(0, file.seek(0, os.SEEK_END) - header.tell()) // size
    file.seek(0)
    file.write(header.getvalue())
    file.truncate(file.seek(header.tell() + done * size))
    return done
