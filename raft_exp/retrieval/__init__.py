"""Search: sources that rank passages for a question.

Distractors and retrieved contexts are the first passages of such a ranking. A source ranks a pool, i.e. an ascending
array of passage ordinals. An ordinal is a passage's position in the collection.

Each source has a file: `random.py`, `bm25.py`, `dense.py`, `hybrid.py` and `given.py`. `mixed.py` combines several of
them. `rerank.py` orders the first passages of the retriever's ranking again, with a cross-encoder. Each source
builds a `Ranker` (`ranking.py`). Rankings are deterministic, so the distractors of D=2 are the first two of D=3. The
rules for distractors are in `filters.py`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from raft_exp.core.records import Question
from raft_exp.core.schema import KeyedWhenSet, Positive, config_dataclass
from raft_exp.models.cross_encoder import RerankConfig
from raft_exp.retrieval.bm25 import Bm25, bm25_ranker
from raft_exp.retrieval.dense import Dense
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.given import given_ranker
from raft_exp.retrieval.hybrid import SOURCES, hybrid_ranker
from raft_exp.retrieval.margin import NO_MARGIN, Margin, within
from raft_exp.retrieval.mixed import Shares, mixed_ranker
from raft_exp.retrieval.random import random_ranker
from raft_exp.retrieval.ranking import Ranker, Similarity

__all__ = [
    "Distractors",
    "Margin",
    "Rankers",
    "RerankConfig",
    "RetrieverConfig",
    "Shares",
    "bm25_ranker",
    "random_ranker",
]

Distractors = Literal["random", "bm25", "dense", "hybrid", "given", "mixed"]


@config_dataclass
class RetrieverConfig:
    """The retriever of retrieved contexts, and of `ask` and `serve`."""

    name: Literal["bm25", "dense", "hybrid"]
    k: Positive  # passages of a context
    rerank: KeyedWhenSet[RerankConfig | None] = None  # a cross-encoder that orders the first passages again


@dataclass(frozen=True)
class Rankers:
    """Builds the rankers of one data set.

    `embedded`: the folders of the embed stages under "passages" and "questions"; dense search needs them. `indexed`:
    the folder of the index stage; bm25 needs it. `margin`: limits of the scores of bm25 and dense, also in `mixed`.
    """

    distractor_filter: DistractorFilter
    seed: int
    embedded: Mapping[str, Path] | None = None
    margin: Margin = NO_MARGIN
    indexed: Path | None = None

    def ranker(
        self, name: str, shares: Shares | None, pool: np.ndarray, coming: Callable[[], Iterable[Question]]
    ) -> Ranker:
        """Returns the ranker of the source `name` over a pool of passage ordinals.

        `shares`: the shares of `mixed`. `coming` returns the questions in the order in which they will be ranked; dense
        search reads several of these questions ahead, and searches for them at once.
        """
        passages, rejected = self.distractor_filter.passages, self.distractor_filter.rejected_candidates
        if name == "random":
            return random_ranker(pool, self.seed)
        if name == "given":
            return given_ranker(passages, pool, rejected)
        if name == "mixed":
            assert shares is not None, "the config is checked by `check_shares`"
            rankers = {part: self.ranker(part, None, pool, coming) for part in source_names(name, shares)}
            return mixed_ranker(
                rankers, {str(part): share for part, share in shares.items()}, self.distractor_filter, self.seed
            )
        if name == "hybrid":
            words, vectors = (self._similarity(part, pool, coming) for part in SOURCES)
            return hybrid_ranker(words, vectors)
        return within(self.margin, self._similarity(name, pool, coming), passages, rejected)

    def _similarity(self, name: str, pool: np.ndarray, coming: Callable[[], Iterable[Question]]) -> Similarity:
        if name == "bm25":
            assert self.indexed is not None, "the pipeline adds the index stage where bm25 is used"
            return Bm25(self.indexed, pool)
        assert self.embedded is not None, "the pipeline adds the embed stages where dense is used"
        return Dense(self.embedded, pool, coming)


def source_names(name: str, shares: Shares | None) -> set[str]:
    """Returns the sources that the setting `name` uses: `name` itself, or for `mixed` those with a share above 0."""
    return {part for part, share in (shares or {}).items() if share} if name == "mixed" else {name}


def searches(names: Iterable[str]) -> set[str]:
    """Returns the searches that the sources `names` need: bm25 and dense for `hybrid`, else the source itself."""
    return {search for name in names for search in (SOURCES if name == "hybrid" else (name,))}


def check_shares(group: str, name: str, shares: Shares | None) -> None:
    """Raises ValueError where `mixed` has no shares, or its shares do not sum to 1. `group`: the config group."""
    if name == "mixed" and shares is None:
        raise ValueError(
            f"{group}.mixed: has no value; {group}.distractors=mixed needs a share for each source, as in "
            f"{_EXAMPLE.format(group)}"
        )
    if name == "mixed" and shares is not None and abs(sum(shares.values()) - 1) > 1e-9:
        total = round(sum(shares.values()), 9)
        raise ValueError(
            f"{group}.mixed: got {dict(shares)}, with the sum {total}; shares must sum to 1, as in "
            f"{_EXAMPLE.format(group)}"
        )


_EXAMPLE = "{}.mixed={{random:0.5,bm25:0.5}}"


def check_margin(group: str, name: str, shares: Shares | None, margin: Mapping[str, float | None]) -> None:
    """Raises ValueError where a limit of similarity is set and no source has similarity scores.

    `margin`: the value of each limit by field name, None for no limit. `group`: the config group.
    """
    for field, value in margin.items():
        if value is not None and not source_names(name, shares) & {"bm25", "dense"}:
            raise ValueError(
                f"{group}.{field}: got {value}, but {group}.distractors={name} has no similarity scores; use bm25, "
                f"dense, or mixed with a share of one of them, or set {group}.{field}=null"
            )
