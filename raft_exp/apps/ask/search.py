"""Finds passages for a question that no study has seen: by words, by meaning, or by both, over the whole collection."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from raft_exp.core.collection import mapped
from raft_exp.core.records import Question
from raft_exp.core.stage import Stage
from raft_exp.models import encoder
from raft_exp.pipeline.run import FinishedRun
from raft_exp.pipeline.runner import Runner
from raft_exp.pipeline.store import Fingerprints
from raft_exp.retrieval import embed_stage as embed
from raft_exp.retrieval import index_stage as index
from raft_exp.retrieval.bm25 import Bm25
from raft_exp.retrieval.dense import INDEX, VECTORS
from raft_exp.retrieval.nearest import Exact, Indexed

Method = Literal["bm25", "dense", "both"]
Accelerator = Literal["cpu", "gpu", "auto"]
_FUSED = 100  # passages of each ranking that take part in a fusion
_SMOOTHING = 60  # of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)


class Searcher:
    """Searches a run's passages. What it needs (an index, vectors) is made once, and kept in the run's store."""

    def __init__(self, run: FinishedRun, method: Method, accelerator: Accelerator = "auto") -> None:
        self._sources: list[_Words | _Meaning] = []
        if method in ("bm25", "both"):
            self._sources.append(_Words(_ensure(run, _index(run))))
        if method in ("dense", "both"):
            asked = dataclasses.replace(run.config.encoder, accelerator=accelerator)
            self._sources.append(_Meaning(_ensure(run, _embed(run, accelerator)), asked))

    def __call__(self, question: str, k: int) -> list[int]:
        """Ordinals of the best `k` passages, best first; none where only words count and no passage shares one."""
        if len(self._sources) == 1:
            return self._sources[0].best(question, k)
        return fused([list(islice(source.ranked(question), max(k, _FUSED))) for source in self._sources])[:k]


def fused(rankings: list[list[int]]) -> list[int]:
    """Reciprocal rank fusion: a passage has 1 / (60 + rank) from each ranking; equal ones in rising ordinal."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, ordinal in enumerate(ranking, start=1):
            scores[ordinal] += 1 / (_SMOOTHING + rank)
    return sorted(scores, key=lambda ordinal: (-scores[ordinal], ordinal))


class _Words:
    """By BM25."""

    def __init__(self, indexed: Path) -> None:
        size = len(mapped(indexed / "lengths.npy"))
        self._ranking = Bm25(indexed, np.arange(size))

    def ranked(self, question: str) -> Iterator[int]:
        """Ordinals of passages that share a word with the question, best first."""
        return (ordinal for ordinal, score in self._scored(question) if score > 0)

    def best(self, question: str, k: int) -> list[int]:
        """As in an evaluation: once a passage shares a word, `k` of them."""
        found = list(islice(self._scored(question), k))
        return [ordinal for ordinal, _ in found] if found and found[0][1] > 0 else []

    def _scored(self, question: str) -> Iterator[tuple[int, float]]:
        return self._ranking.ranked(Question("asked", question, [], [], "test"))


class _Meaning:
    """By the product of vectors."""

    def __init__(self, embedded: Path, config: encoder.EncoderConfig) -> None:
        vectors = mapped(embedded / VECTORS)
        pool = np.arange(len(vectors))
        exact = not (embedded / INDEX).exists()
        self._nearest = Exact(vectors, pool) if exact else Indexed(vectors, pool, embedded / INDEX)
        self._encode, self._prefix, self._size = encoder.load(config), config.query_prefix, len(vectors)

    def ranked(self, question: str) -> Iterator[int]:
        """Ordinals, best first."""
        query = self._encode([question], self._prefix)
        size, given = _FUSED, 0
        while given < self._size:  # few that are alike may be held back: ask for more
            ((places, _),) = self._nearest.best(query, size)
            yield from places[given:].tolist()
            given, size = max(given, len(places)), size * 8
            if size > 8 * self._size:
                return

    def best(self, question: str, k: int) -> list[int]:
        """The first `k`."""
        return list(islice(self.ranked(question), k))


def _index(run: FinishedRun) -> Stage:
    """The stage that a study has when it searches by words: the same key, so the same result."""
    settings = index.IndexStage(f"bm25s {metadata.version('bm25s')}")
    return Stage(index.index, settings, {"passages": run.completed("ingest")})


def _embed(run: FinishedRun, accelerator: Accelerator) -> Stage:
    """The stage of a dense study; in a study that was not, a GPU is not insisted on."""
    config = run.config.encoder
    if config.accelerator == "gpu" and not run.has("embed"):
        config = dataclasses.replace(config, accelerator=accelerator)
    files = Fingerprints(run.store)(encoder.files(config))
    settings, passages = embed.EmbedStage(config), {"passages": run.completed("ingest")}
    return Stage(embed.embed_passages, settings, passages, files)


def _ensure(run: FinishedRun, stage: Stage) -> Path:
    """Makes the stage's result where it is missing, and notes it beside the run: `raft_exp.store prune` keeps it."""
    if run.store.look(stage).status != "reused":
        notes = run.folder / "ask" / stage.name
        try:
            notes.mkdir(parents=True, exist_ok=True)
        except OSError:  # somebody else's run
            run.store.ensure(stage, run.store.call)
        else:
            Runner(run.store, notes, run.folder / "config.yaml").execute([stage])
    return run.store.path(stage)
