"""One shard of a stage as a stage of its own, with its result in the folder `shards` of the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from raft_exp.core.schema import identity
from raft_exp.core.shards import Shard, Sharded
from raft_exp.core.stage import Stage, StageDescription


@dataclass(frozen=True, kw_only=True)
class ShardStage(Stage):
    """One shard of a stage."""

    shard: Shard

    @property
    def name(self) -> str:
        """The name of the folder in the store for the results of all shards."""
        return "shards"

    @property
    def label(self) -> str:
        """The label of the stage and the number of the shard: `embed shard 1 of 4`."""
        whole = f"{self.spec.name}[{self.part}]" if self.part else self.spec.name
        return f"{whole} shard {self.shard.index + 1} of {self.shard.count}"

    @property
    def resumable(self) -> bool:
        """Whether the shard continues from the partial folder of a killed task."""
        functions = sharded(self)
        return self.spec.resumable or (functions is not None and functions.resumable)

    @property
    def description(self) -> StageDescription:
        """The values from which the key is computed: those of the stage, and those that decide the shard's work."""
        functions = sharded(self)
        cut = functions.cut_by(self.config) if functions else None
        settings = [self.spec.name, self.shard.index, self.shard.count, identity(self.config)]
        return {**super().description, "config": settings if cut is None else [*settings, cut]}


def sharded(stage: Stage) -> Sharded | None:
    """Returns the functions that shard this stage; None for a stage that runs in one process."""
    functions = stage.spec.sharded
    return functions if functions and functions.allowed(stage.config) else None


def shards_of(stage: Stage, functions: Sharded, count: int) -> list[ShardStage]:
    """Returns the `count` shards of a stage, in order."""
    return [shard_of(stage, functions, Shard(index, count)) for index in range(count)]


def shard_of(stage: Stage, functions: Sharded, shard: Shard) -> ShardStage:
    """Returns one shard of a stage, without the check of the stage."""
    compute = _marked(partial(functions.compute, shard=shard), stage)
    return ShardStage(compute, stage.config, stage.inputs, stage.files, stage.part, shard=shard)


def joined(stage: Stage, functions: Sharded, folders: Sequence[Path]) -> Stage:
    """Returns the stage with a function that joins its shards, without its check.

    `folders`: the results of all shards, in order.
    """
    return replace(stage, function=_marked(partial(functions.join, shards=folders), stage), check=None)


def _marked(function: "partial[None]", stage: Stage) -> Callable[..., None]:
    function.stage_spec = stage.spec  # type: ignore[attr-defined]
    return function
