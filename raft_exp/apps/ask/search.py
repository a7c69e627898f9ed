"""Retrieval for new questions over the whole collection: BM25, dense, or both."""

import atexit
import dataclasses
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

import numpy as np

from raft_exp.core.collection import mapped
from raft_exp.core.records import Question
from raft_exp.core.stage import Stage
from raft_exp.models import encoder
from raft_exp.models.encoder import EncoderConfig
from raft_exp.pipeline.run import FinishedRun
from raft_exp.pipeline.runner import Runner
from raft_exp.pipeline.store import Fingerprints
from raft_exp.retrieval.bm25 import Bm25
from raft_exp.retrieval.dense import INDEX, VECTORS
from raft_exp.retrieval.embed_stage import EmbedStage, embed_passages
from raft_exp.retrieval.index_stage import IndexStage, index
from raft_exp.retrieval.nearest import Exact, Indexed

Method = Literal["bm25", "dense", "both"]
Accelerator = Literal["cpu", "gpu", "auto"]
_FUSED = 100  # passages of each ranking that a fusion uses, at least
_SMOOTHING = 60  # constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)


class Searcher:
    """Searches the passages of a run. If the run's store lacks the index or the vectors, they are made and stored."""

    def __init__(self, run: FinishedRun, method: Method, accelerator: Accelerator = "auto") -> None:
        self._sources: list[_Bm25Source | _DenseSource] = []
        if method in ("bm25", "both"):
            self._sources.append(_Bm25Source(_ensure(run, _index(run))))
        if method in ("dense", "both"):
            encoder_config = dataclasses.replace(run.config.encoder, accelerator=accelerator)
            self._sources.append(_DenseSource(_ensure(run, _embed(run, accelerator)), encoder_config))

    def __call__(self, question: str, k: int) -> list[int]:
        """Returns the ordinals of the best `k` passages, best first. BM25 alone returns [] without a match."""
        if len(self._sources) == 1:
            return self._sources[0].best(question, k)
        return fused([list(islice(source.ranked(question), max(k, _FUSED))) for source in self._sources])[:k]


def fused(rankings: list[list[int]]) -> list[int]:
    """Joins rankings by reciprocal rank fusion: the score of a passage is the sum of 1 / (60 + rank).

    Passages with equal scores are sorted by ordinal.
    """
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, ordinal in enumerate(ranking, start=1):
            scores[ordinal] += 1 / (_SMOOTHING + rank)
    return sorted(scores, key=lambda ordinal: (-scores[ordinal], ordinal))


class _Bm25Source:
    """Ranks passages by BM25."""

    def __init__(self, indexed: Path) -> None:
        size = len(mapped(indexed / "lengths.npy"))
        self._ranking = Bm25(indexed, np.arange(size))

    def ranked(self, question: str) -> Iterator[int]:
        """Yields the ordinals of passages that share a word with the question, best first."""
        return (ordinal for ordinal, score in self._scored(question) if score > 0)

    def best(self, question: str, k: int) -> list[int]:
        """Returns the ordinals of the best `k` passages; [] if no passage shares a word with the question."""
        best = list(islice(self._scored(question), k))
        return [ordinal for ordinal, _ in best] if best and best[0][1] > 0 else []

    def _scored(self, question: str) -> Iterator[tuple[int, float]]:
        return self._ranking.ranked(Question("asked", question, [], [], "test"))


class _DenseSource:
    """Ranks passages by the dot product of their vectors with that of the question."""

    def __init__(self, embedded: Path, config: EncoderConfig) -> None:
        vectors = mapped(embedded / VECTORS)
        pool = np.arange(len(vectors))
        exact = not (embedded / INDEX).exists()
        self._nearest = Exact(vectors, pool) if exact else Indexed(vectors, pool, embedded / INDEX)
        self._encode, self._prefix, self._size = encoder.load(config), config.query_prefix, len(vectors)

    def ranked(self, question: str) -> Iterator[int]:
        """Yields the ordinals of all passages, best first."""
        query = self._encode([question], self._prefix)
        size, count = _FUSED, 0
        while count < self._size:  # the index may return fewer than `size`
            ((places, _),) = self._nearest.best(query, size)
            yield from places[count:].tolist()
            count, size = max(count, len(places)), size * 8
            if size > 8 * self._size:
                return

    def best(self, question: str, k: int) -> list[int]:
        """Returns the ordinals of the best `k` passages."""
        return list(islice(self.ranked(question), k))


def _index(run: FinishedRun) -> Stage:
    """Returns the index stage, with the same key as in a study with BM25."""
    settings = IndexStage(f"bm25s {metadata.version('bm25s')}")
    return Stage(index, settings, {"passages": run.completed("ingest")})


def _embed(run: FinishedRun, accelerator: Accelerator) -> Stage:
    """Returns the embed stage, with the same key as in a study with dense retrieval.

    If the run has no such stage, `accelerator` replaces encoder.accelerator=gpu.
    """
    config = run.config.encoder
    if config.accelerator == "gpu" and not run.has("embed"):
        config = dataclasses.replace(config, accelerator=accelerator)
    files = Fingerprints(run.store)(encoder.files(config))
    settings, passages = EmbedStage(config), {"passages": run.completed("ingest")}
    return Stage(embed_passages, settings, passages, files)


def _ensure(run: FinishedRun, stage: Stage) -> Path:
    """Returns the folder of the stage's result. If the store lacks the result, it is made.

    A plan.json in the run folder names the new result, so that `store prune` keeps it. If the store is read-only, the
    result is made in a temporary folder for this process.
    """
    if run.store.look(stage).status == "reused":
        return run.store.path(stage)
    if not run.store.writable:
        print(f"store={run.store.root} is read-only: {stage.label} is made again for this command", file=sys.stderr)
        folder = Path(mkdtemp(prefix="raft_exp_"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        run.store.call(stage, folder)
        return folder
    folder = run.folder / "ask" / stage.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a run folder without write permission
        run.store.ensure(stage, run.store.call)
    else:
        Runner(run.store, folder, run.folder / "config.yaml").execute([stage])
    return run.store.path(stage)
