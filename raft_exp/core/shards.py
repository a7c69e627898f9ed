"""Shards: parts of one stage's work that several processes compute, on this machine or on others.

To make a stage spreadable, write two functions beside the stage function, and name them in its decorator:

    @stage("embed", VERSION, resumable=True, sharded=Sharded(compute_shard, join_shards))

- `compute(config, *, <inputs>, shard, out)` does the work of one shard and writes its files into `out`.
- `join(config, *, <inputs>, shards, out)` reads the folders of all shards, in order, and writes the files of the stage
  into `out`. The bytes must be those that the stage function writes.

`raft_exp.pipeline.spread` runs them. The key of the stage does not depend on the number of shards.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shard:
    """The shard `index` (from 0) of `count` shards."""

    index: int
    count: int

    def rows(self, total: int) -> range:
        """Returns this shard's share of `total` rows. The shares of all shards, in order, are all rows in order."""
        return range(total * self.index // self.count, total * (self.index + 1) // self.count)

    def holds(self, number: int) -> bool:
        """Whether item `number` is in this shard, which has every `count`-th item.

        If the items are sorted by length, all shards have about the same amount of work.
        """
        return number % self.count == self.index


def always(config: Any) -> bool:
    """Returns True: a stage can be sharded whatever its settings are."""
    return True


def no_setting(config: Any) -> None:
    """Returns None: no runtime setting decides which work a shard has."""


@dataclass(frozen=True)
class Sharded:
    """The functions that compute the shards of a stage and join them (see the module's docstring)."""

    compute: Callable[..., None]
    join: Callable[..., None]
    allowed: Callable[[Any], bool] = always  # whether a stage with these settings can be sharded
    # The value of the runtime settings that decide which work a shard has. It is part of the keys of the shards.
    cut_by: Callable[[Any], object] = no_setting
    # Whether a shard continues from the partial folder of a killed task, as all shards of a resumable stage do.
    resumable: bool = False
