"""Corpus `almanac`: a fictional world, generated from a seed, for studies without downloads and for load tests.

Its documents describe towns, persons, minerals, ships, birds and small studies in plain English. Questions are
single-fact, bridge and comparison questions (open answers), and yes/no/maybe questions about studies. Each document
belongs to one split: gold passages and published distractors come from the split of the question.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from raft_exp.core.errors import ConfigError
from raft_exp.core.records import Passage, Question
from raft_exp.core.schema import Count, Positive, Runtime, Share, config_dataclass
from raft_exp.corpora.almanac.names import MAX_NAMES
from raft_exp.corpora.almanac.questions import questions_about
from raft_exp.corpora.almanac.world import World
from raft_exp.corpora.origin import Origin


@config_dataclass
class AlmanacConfig:
    """The size of the world and the shares of its splits."""

    name: Literal["almanac"]
    path: Runtime[str | None]  # must be null: no file is read
    num_entities: Positive  # number of documents; a document has up to three questions
    world_seed: Count
    max_items: Positive | None  # largest number of questions of each split; None: all
    validation: Share
    test: Share

    def __post_init__(self) -> None:
        if self.path is not None:
            raise ConfigError(f"corpus.path={self.path!r}: the almanac reads no files; set corpus.path=null")
        if self.validation + self.test >= 1:
            raise ConfigError(
                f"corpus.validation={self.validation} and corpus.test={self.test} leave nothing to train on; "
                "their sum must be below 1"
            )
        if self.num_entities > MAX_NAMES:
            raise ConfigError(f"corpus.num_entities={self.num_entities}: give at most {MAX_NAMES}, the number of names")


class Almanac:
    """Streams the passages and questions of a world in a fixed order. Memory does not grow with `num_entities`."""

    passage_settings: ClassVar[tuple[str, ...]] = ("name", "num_entities", "world_seed", "validation", "test")
    origin: ClassVar[Origin] = Origin("a made world, generated from a seed; no text from elsewhere", "apache-2.0")

    def __init__(self, config: AlmanacConfig, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._max_items = config.max_items
        self._world = World(
            seed=config.world_seed,
            size=config.num_entities,
            validation=config.validation,
            test=config.test,
        )

    def files(self) -> list[Path]:
        """Returns []: the settings alone decide the world."""
        return []

    def passages(self) -> Iterator[Passage]:
        """Yields one passage for each document."""
        for number in range(self._world.size):
            self.counts["passages"] += 1
            yield self._world.passage(number)

    def questions(self) -> Iterator[Question]:
        """Yields the questions in the order of their documents."""
        taken: Counter[str] = Counter()
        for number in range(self._world.size):
            if self._max_items is not None and taken[self._world.split(number)] >= self._max_items:
                continue
            for question in questions_about(self._world, number):
                if self._max_items is None or taken[question.split] < self._max_items:
                    taken[question.split] += 1
                    self.counts[f"questions_{question.slices['kind']}"] += 1
                    yield question
