"""The passages, or pairs of passages, for which a teacher writes questions."""

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from raft_exp.core.collection import Passages
from raft_exp.core.records import Passage
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.words import count
from raft_exp.corpora.passage_levels import PassageLevel
from raft_exp.corpora.split_units import SplitBy, choose, setting_of
from raft_exp.teachers.pairs import LinkedPairs, Pair
from raft_exp.teachers.tasks import QuestionTask

Item = tuple[list[Passage], str]  # a passage, or a pair of passages, and their split


class PassageSample:
    """The passages, or pairs of passages, to write questions for, each with its split.

    `corpus.max_items` limits the training split, and `task.held_out_passages` each other split. All passages have at
    least `task.min_passage_words` words. The passages of a pair have the same split. `corpus.split` selects the unit of
    the splits, e.g. documents (`corpora/split_units.py`). `enough`: whether there are enough documents for a split by
    document.
    """

    def __init__(self, collection: Passages, corpus: Any, task: QuestionTask, seed: int, enough: bool = True) -> None:
        def level(by: SplitBy) -> PassageLevel:
            return PassageLevel(by, collection, lambda passage: count(passage.text) >= least, corpus, seed)

        least = task.min_passage_words
        self._collection, self._pairing = collection, task.pairs
        self.by, self._level = choose(setting_of(corpus), enough, level)
        trained = None if corpus.max_items is None else math.ceil(corpus.max_items / task.n)
        self._most = {"train": trained, "validation": task.held_out_passages, "test": task.held_out_passages}
        self._samples = {split: self._limited(split, seed) for split in self._most}

    def __len__(self) -> int:
        return sum(map(len, self._samples.values()))

    def __iter__(self) -> Iterator[Item]:
        for group, split in self._groups():
            if name_of(group) in self._samples[split]:
                yield group, split

    def _groups(self) -> Iterator[Item]:
        if self._pairs is None:
            yield from (([passage], split) for passage, split in self._level.passages())
        else:
            for pair, split in self._pairs:
                yield [self._collection[ordinal] for ordinal in pair], split

    @cached_property
    def _pairs(self) -> list[tuple[Pair, str]] | None:
        if self._pairing is None:
            return None
        rules = (self._pairing.most_holders, self._pairing.linked)
        return list(LinkedPairs(self._collection, self._level.passages(), *rules))

    def _limited(self, split: str, seed: int) -> HashSample:
        ids = (name_of(group) for group, own in self._groups() if own == split)
        return subsample(ids, self._most[split], seed)


def name_of(passages: Sequence[Passage]) -> str:
    """Returns the name of a passage or a pair, which is the beginning of the ids of its questions."""
    return "+".join(passage.id for passage in passages)
