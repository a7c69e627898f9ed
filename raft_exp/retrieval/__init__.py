"""Where passages come from when they are searched: each source ranks the passages of a pool for a question.

One source a file. All are deterministic and nested: the first two of a ranking are the first two of the first three.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from raft_exp.core.records import Question
from raft_exp.core.schema import Positive, config_dataclass
from raft_exp.retrieval.bm25 import Bm25, bm25_ranker
from raft_exp.retrieval.dense import Dense
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.given import given_ranker
from raft_exp.retrieval.margin import NO_MARGIN, Margin, within
from raft_exp.retrieval.mixed import Shares, mixed_ranker
from raft_exp.retrieval.random import random_ranker
from raft_exp.retrieval.ranking import Ranker, Similarity

__all__ = ["Distractors", "Margin", "Rankers", "RetrieverConfig", "Shares", "bm25_ranker", "random_ranker"]

Distractors = Literal["random", "bm25", "dense", "given", "mixed"]


@config_dataclass
class RetrieverConfig:
    """The retriever of `evaluation.context=retrieved`."""

    name: Literal["bm25", "dense"]
    k: Positive  # passages in a retrieved context


@dataclass(frozen=True)
class Rankers:
    """Makes the rankers of one dataset.

    `embedded`: folders of the embed stages, where something is dense; `indexed`: that of the index stage, for bm25.
    """

    distractor_filter: DistractorFilter
    seed: int
    embedded: Mapping[str, Path] | None = None
    margin: Margin = NO_MARGIN
    indexed: Path | None = None

    def ranker(
        self, name: str, shares: Shares | None, pool: np.ndarray, asked: Callable[[], Iterable[Question]]
    ) -> Ranker:
        """The ranker of a source over a pool; `asked` gives the questions that will come, in their order."""
        passages, passed_over = self.distractor_filter.passages, self.distractor_filter.passed_over
        if name == "random":
            return random_ranker(pool, self.seed)
        if name == "given":
            return given_ranker(passages, pool, passed_over)
        if name == "mixed":
            assert shares is not None, "the config is checked by `check_shares`"
            rankers = {part: self.ranker(part, None, pool, asked) for part in source_names(name, shares)}
            return mixed_ranker(
                rankers, {str(part): share for part, share in shares.items()}, self.distractor_filter, self.seed
            )
        return within(self.margin, self._similarity(name, pool, asked), passages, passed_over)

    def _similarity(self, name: str, pool: np.ndarray, asked: Callable[[], Iterable[Question]]) -> Similarity:
        if name == "bm25":
            assert self.indexed is not None, "the pipeline makes an index where something is searched by words"
            return Bm25(self.indexed, pool)
        assert self.embedded is not None, "the pipeline embeds where something is dense"
        return Dense(self.embedded, pool, asked)


def source_names(name: str, shares: Shares | None) -> set[str]:
    """The sources that distractors come from: several where they are mixed."""
    return {part for part, share in (shares or {}).items() if share} if name == "mixed" else {name}


def check_shares(group: str, name: str, shares: Shares | None) -> None:
    """Raises ValueError (field, value, what is allowed) where `mixed` has no shares, or they are not the whole."""
    if name == "mixed" and shares is None:
        raise ValueError(f"{group}.mixed: has no value; {group}.distractors=mixed needs {_EXAMPLE.format(group)}")
    if name == "mixed" and shares is not None and abs(sum(shares.values()) - 1) > 1e-9:
        total = round(sum(shares.values()), 9)
        raise ValueError(
            f"{group}.mixed: got {dict(shares)}, together {total}; shares must sum to 1, as in {_EXAMPLE.format(group)}"
        )


_EXAMPLE = "{}.mixed={{random:0.5,bm25:0.5}}"


def check_margin(group: str, name: str, shares: Shares | None, margin: Mapping[str, float | None]) -> None:
    """Raises ValueError where a margin is set and no source has scores to compare."""
    for field, value in margin.items():
        if value is not None and not source_names(name, shares) & {"bm25", "dense"}:
            raise ValueError(
                f"{group}.{field}: got {value}, but distractors={name} have no similarity; use bm25, dense or mixed, "
                f"or set {group}.{field}=null"
            )
