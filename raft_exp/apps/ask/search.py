"""Retrieval for new questions over the whole collection, as in a study: bm25, dense or hybrid, reranked or not."""

import atexit
import dataclasses
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

import numpy as np

from raft_exp.core.collection import Passages, mapped
from raft_exp.core.records import Question
from raft_exp.core.stage import Stage
from raft_exp.models import cross_encoder, encoder
from raft_exp.models.encoder import EncoderConfig
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.run import FinishedRun
from raft_exp.pipeline.runner import Runner
from raft_exp.retrieval import searches
from raft_exp.retrieval.bm25 import Bm25
from raft_exp.retrieval.dense import INDEX, VECTORS
from raft_exp.retrieval.embed_stage import EmbedStage, embed_passages
from raft_exp.retrieval.hybrid import SOURCES, hybrid_ranker
from raft_exp.retrieval.index_stage import IndexStage, index
from raft_exp.retrieval.nearest import Exact, Indexed
from raft_exp.retrieval.ranking import Ranker
from raft_exp.retrieval.rerank import reranked

Method = Literal["bm25", "dense", "hybrid"]
Accelerator = Literal["cpu", "gpu", "auto"]
_FIRST = 100  # passages of the first dense search


class Searcher:
    """Searches the passages of a run. If the run's store lacks the index or the vectors, they are made (`_ensure`).

    If the study has `retriever.rerank`, a cross-encoder orders the first passages again.
    """

    def __init__(self, run: FinishedRun, method: Method, accelerator: Accelerator = "auto") -> None:
        self._passages, self._reranker = Passages(run.path("ingest")), run.config.retriever.rerank
        sources: dict[str, _Words | _Vectors] = {}
        for name in sorted(searches({method})):
            if name == "bm25":
                sources[name] = _Words(_ensure(run, _index(run)))
            else:
                encoder_config = dataclasses.replace(run.config.encoder, accelerator=accelerator)
                sources[name] = _Vectors(_ensure(run, _embed(run, accelerator)), encoder_config)
        self._rank: Ranker
        if method == "hybrid":
            self._rank = hybrid_ranker(*(sources[name] for name in SOURCES))
        else:
            self._rank = sources[method].rank
        if self._reranker:
            self._score = cross_encoder.load(dataclasses.replace(self._reranker, accelerator=accelerator))

    def __call__(self, question: str, k: int) -> list[int]:
        """Returns the ordinals of the best `k` passages, best first.

        The method bm25 returns [] if no passage shares a word with the question.
        """
        asked = Question("asked", question, [], [], "test")
        if not self._reranker:
            return list(islice(self._rank(asked), k))
        first = list(islice(self._rank(asked), max(k, self._reranker.k_first)))
        return reranked(self._score, self._passages, question, first)[:k]


class _Words:
    """Ranks passages by BM25."""

    def __init__(self, indexed: Path) -> None:
        size = len(mapped(indexed / "lengths.npy"))
        self._ranking = Bm25(indexed, np.arange(size))

    def ranked(self, question: Question) -> Iterator[tuple[int, float]]:
        """Yields the ordinals of all passages with their scores, best first."""
        return self._ranking.ranked(question)

    def rank(self, question: Question) -> Iterator[int]:
        """Yields the ordinals of all passages, best first; nothing if no passage shares a word with the question."""
        for place, (ordinal, score) in enumerate(self.ranked(question)):
            if place == 0 and score <= 0:
                return
            yield ordinal


class _Vectors:
    """Ranks passages by the dot product of their vectors with that of a new question."""

    def __init__(self, embedded: Path, config: EncoderConfig) -> None:
        vectors = mapped(embedded / VECTORS)
        pool = np.arange(len(vectors))
        exact = not (embedded / INDEX).exists()
        self._nearest = Exact(vectors, pool) if exact else Indexed(vectors, pool, embedded / INDEX)
        self._encode, self._prefix, self._size = encoder.load(config), config.query_prefix, len(vectors)

    def ranked(self, question: Question) -> Iterator[tuple[int, float]]:
        """Yields the ordinals of the passages with their scores, best first. An approximate index may omit passages."""
        query = self._encode([question.question], self._prefix)
        size, count = _FIRST, 0
        while count < self._size:  # the index may return fewer than `size`
            ((places, scores),) = self._nearest.best(query, size)
            yield from zip(places[count:].tolist(), scores[count:].tolist(), strict=True)
            count, size = max(count, len(places)), size * 8
            if size > 8 * self._size:
                return

    def rank(self, question: Question) -> Iterator[int]:
        """Yields the ordinals of the passages, best first. An approximate index may omit passages."""
        return (ordinal for ordinal, _ in self.ranked(question))


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

    A plan.json in the run folder then names the result, so that `store prune` keeps it, unless the run folder is
    read-only. If the store is read-only, the result is made in a temporary folder for this process.
    """
    if run.store.look(stage).status == "reused":
        return run.store.obtain(stage)
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
