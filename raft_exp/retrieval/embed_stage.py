"""Stage `embed`: the vectors of all passages, or of all questions, for dense search.

A study runs the stage twice, once for the passages and once for the questions. So new questions do not need new vectors
of the passages. Each run writes one .npy array of float32 in slices of 1024 texts. After a kill, the stage continues at
the first incomplete slice. A shard of the stage is a range of slices.
"""

import json
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from raft_exp.core.collection import Passages, hash64
from raft_exp.core.errors import ModelError
from raft_exp.core.npy import Rows, write_header
from raft_exp.core.progress import track
from raft_exp.core.records import Question, read_jsonl
from raft_exp.core.schema import config_dataclass
from raft_exp.core.shards import Shard, Sharded
from raft_exp.core.stage import stage
from raft_exp.models.encoder import EncoderConfig, load, needs
from raft_exp.retrieval.dense import IDS, INDEX, VECTORS
from raft_exp.retrieval.text import searched_text
from raft_exp.retrieval.vector_index import build_index

VERSION = 1
# Texts of a slice. It is constant, so that batches have the same texts after a kill: the other texts of a batch change
# the last bits of a vector.
_SLICE = 1024


@config_dataclass
class EmbedStage:
    """Settings that change the vectors."""

    encoder: EncoderConfig


def compute_passages(config: EmbedStage, *, passages: Path, shard: Shard, out: Path) -> None:
    """Writes vectors.npy of the shard's passages. Writes no file for an empty shard, except for the first shard."""
    collection = Passages(passages)
    _check_search_index(config.encoder, len(collection))
    rows = _rows(shard, len(collection))
    texts = (searched_text(collection[row]) for row in rows)
    if rows or shard.index == 0:
        _embed(config.encoder, config.encoder.passage_prefix, texts, len(rows), out)


def join_passages(config: EmbedStage, *, passages: Path, shards: Sequence[Path], out: Path) -> None:
    """Writes the files of `embed_passages` from the vectors of all shards."""
    total = len(Passages(passages))
    _join(shards, total, out)
    _search_index(config.encoder, total, out)


@stage("embed", VERSION, resumable=True, sharded=Sharded(compute_passages, join_passages))
def embed_passages(config: EmbedStage, *, passages: Path, out: Path) -> None:
    """Writes vectors.npy, shape (passages, dimensions), in the order of the collection, and counts.json.

    Writes index.faiss too where there are more passages than `encoder.exact_up_to`. Raises ModelError where the encoder
    fails, or where this index is needed and faiss is not installed.
    """
    collection = Passages(passages)
    _check_search_index(config.encoder, len(collection))
    texts = (searched_text(passage) for passage in collection)
    width = _embed(config.encoder, config.encoder.passage_prefix, texts, len(collection), out)
    _count(len(collection), width, out)
    _search_index(config.encoder, len(collection), out)


def compute_questions(config: EmbedStage, *, questions: Path, shard: Shard, out: Path) -> None:
    """Writes vectors.npy of the shard's questions. Writes no file for an empty shard, except for the first shard."""
    rows = _rows(shard, len(_question_ids(questions)))
    asked = islice(read_jsonl(questions / "questions.jsonl", Question), rows.start, rows.stop)
    if rows or shard.index == 0:
        texts = (question.question for question in asked)
        _embed(config.encoder, config.encoder.query_prefix, texts, len(rows), out)


def join_questions(config: EmbedStage, *, questions: Path, shards: Sequence[Path], out: Path) -> None:
    """Writes the files of `embed_questions` from the vectors of all shards."""
    ids = _question_ids(questions)
    _write_ids(ids, out)
    _join(shards, len(ids), out)


@stage("embed", VERSION, resumable=True, sharded=Sharded(compute_questions, join_questions))
def embed_questions(config: EmbedStage, *, questions: Path, out: Path) -> None:
    """Writes vectors.npy, shape (questions, dimensions), in the order of questions.jsonl, ids.npy and counts.json.

    ids.npy has shape (2, questions): the hashes of the question ids, ascending, and below each hash the row number of
    the vector. Raises ModelError where the encoder fails.
    """
    ids = _question_ids(questions)
    _write_ids(ids, out)
    texts = (question.question for question in read_jsonl(questions / "questions.jsonl", Question))
    width = _embed(config.encoder, config.encoder.query_prefix, texts, len(ids), out)
    _count(len(ids), width, out)


def _question_ids(questions: Path) -> np.ndarray:
    asked = read_jsonl(questions / "questions.jsonl", Question)
    return np.fromiter((hash64(question.id) for question in asked), dtype=np.uint64)


def _write_ids(ids: np.ndarray, out: Path) -> None:
    order = np.argsort(ids, kind="stable").astype(np.uint64)
    np.save(out / IDS, np.stack([ids[order], order]))


def _check_search_index(config: EncoderConfig, total: int) -> None:
    """Raises ModelError before any vector is computed if the index of the vectors needs faiss, and faiss is missing."""
    if total > config.exact_up_to:
        needs("faiss")


def _search_index(config: EncoderConfig, total: int, out: Path) -> None:
    _check_search_index(config, total)
    if total > config.exact_up_to:
        build_index(Rows(out / VECTORS), out / INDEX)


def _count(total: int, width: int, out: Path) -> None:
    (out / "counts.json").write_text(json.dumps({"vectors": total, "dimensions": width}), encoding="utf-8")


def _embed(config: EncoderConfig, prefix: str, texts: Iterator[str], total: int, out: Path) -> int:
    """Writes the vectors of `total` texts to vectors.npy, and returns their number of dimensions."""
    encode = load(config)
    width = int(encode([""], prefix).shape[1])
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
    return width


def _rows(shard: Shard, total: int) -> range:
    """Returns the rows of a shard: whole slices, so that each batch has the same texts for every number of shards."""
    slices = shard.rows(-(-total // _SLICE))
    return range(slices.start * _SLICE, min(slices.stop * _SLICE, total))


def _join(shards: Sequence[Path], total: int, out: Path) -> None:
    """Writes the vectors of all shards into one array of `total` rows, and counts.json."""
    arrays = [Rows(folder / VECTORS) for folder in shards if (folder / VECTORS).exists()]
    width = arrays[0].shape[1]
    with (out / VECTORS).open("wb") as file:
        write_header(file, "<f4", (total, width))
        for array in arrays:
            for start in range(0, len(array), _SLICE):
                file.write(array[start : start + _SLICE].tobytes())
        file.flush()
        os.fsync(file.fileno())
    _count(total, width, out)


def _begun(file: BinaryIO, total: int, width: int) -> int:
    """Writes the header of the array, removes an incomplete last slice, and returns the number of complete slices."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    write_header(file, "<f4", (total, width))
    header, size = file.tell(), _SLICE * width * 4
    done = max(0, end - header) // size
    file.truncate(file.seek(header + done * size))
    return done
