"""Runs the shards of a stage in tasks, and joins them."""

import contextlib
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from raft_exp.core.errors import ConfigError, RaftError, StoppedError, StoreError
from raft_exp.core.progress import track
from raft_exp.core.shards import Shard
from raft_exp.core.stage import Stage
from raft_exp.pipeline import gpus
from raft_exp.pipeline.spread.command import TaskCommand
from raft_exp.pipeline.spread.shard_stage import joined, shard_of, sharded, shards_of
from raft_exp.pipeline.spread_settings import LocalSpread, SpreadConfig
from raft_exp.pipeline.store import Store

_ENGINES = {"local": ("local", "LocalTasks"), "slurm": ("slurm", "SlurmTasks"), "ray": ("ray", "RayTasks")}
_PACKAGES = {"slurm": "submitit", "ray": "ray"}
_PROGRAMS = {"slurm": ("sbatch", "srun", "sacct", "scancel")}
_STARTS = 4  # number of starts of a task that is lost each time, after which the study fails


class Tasks(Protocol):
    """An engine with the tasks of one group of stages."""

    def start(self, tasks: Sequence[int]) -> None:
        """Starts these tasks, each by a call of `TaskCommand`."""

    def ended(self) -> Iterator[int]:
        """Yields each task when it ends, also after a failure, until none is left. `start` may add tasks meanwhile."""

    def stop(self) -> None:
        """Ends the tasks that still run, and frees what the engine uses."""


class Spread:
    """Runs stages in several processes. `config_file`: the resolved config of the run, which each task reads."""

    def __init__(self, config: SpreadConfig, store: Store, config_file: Path) -> None:
        self._config, self._store, self._config_file = config, store, config_file

    def takes(self, stage: Stage) -> bool:
        """Whether this stage is spread."""
        return sharded(stage) is not None and self._count(stage) > 1

    def _count(self, stage: Stage) -> int:
        """Returns the number of tasks for a stage."""
        if isinstance(self._config.tasks, int):
            return self._config.tasks
        wanted = gpus.needed(stage.config)
        return max(1, len(gpus.visible()) // wanted) if wanted else 1

    def on_other_machines(self, stage: Stage) -> bool:
        """Whether the work of this stage may be done on other machines, with other GPUs."""
        return self._config.name != "local" and self.takes(stage)

    def check(self, stages: Sequence[Stage]) -> None:
        """Raises ConfigError if a stage is spread, and a package or program of the engine is missing."""
        name = self._config.name
        if not any(self.takes(stage) for stage in stages):
            return
        if name in _PACKAGES and find_spec(_PACKAGES[name]) is None:
            raise ConfigError(
                f"spread: got {name!r}, which needs the package {_PACKAGES[name]}; pip install 'raft_exp[spread]', or "
                "use spread=local"
            )
        for program in _PROGRAMS.get(name, ()):
            if shutil.which(program) is None:
                raise ConfigError(
                    f"spread: got {name!r}, but this machine has no program {program}; start the study on a machine "
                    "of the cluster, or use spread=local"
                )

    def make(self, stage: Stage, out: Path, following: Sequence[Stage]) -> None:
        """Computes the shards of a stage, and joins them in `out`.

        The stages in `following` that need the same process and whose inputs exist are computed by the same tasks, so
        that each task loads a model once. They are joined later, each by its own call.
        """
        self._store.run_check(stage)
        group = [stage, *(other for other in following if self._goes_with(other, stage))]
        self._compute(group)
        functions = sharded(stage)
        assert functions is not None, "takes() is True"
        shards = shards_of(stage, functions, self._count(stage))
        if gone := [shard.label for shard in shards if self._store.look(shard).status != "reused"]:
            raise StoreError(
                f"store={self._store.root}: the result of {gone[0]} was removed while this study ran; run the same "
                "command again, and `python -m raft_exp.store prune` only when no study runs"
            )
        folders = [self._store.checked(shard) for shard in shards]
        self._store.call(joined(stage, functions, folders), out)

    def remove_shards(self, stage: Stage) -> None:
        """Removes the shards of a stage from the store, after they were joined."""
        functions = sharded(stage)
        for shard in shards_of(stage, functions, self._count(stage)) if functions else ():
            shutil.rmtree(self._store.path(shard), ignore_errors=True)
            with contextlib.suppress(OSError):  # in a store that cannot be written
                self._store.path(shard).with_suffix(".lock").unlink()

    def _goes_with(self, other: Stage, stage: Stage) -> bool:
        if other.name != stage.name or other.process != stage.process or not self.takes(other):
            return False
        if other.check or self._count(other) != self._count(stage):
            return False
        ready = all(self._store.look(upstream).status == "reused" for upstream in other.upstream())
        return ready and self._store.look(other).status == "planned"

    def _compute(self, group: Sequence[Stage]) -> None:
        count = self._count(group[0])
        missing = [index for index in range(count) if not self._is_complete(group, Shard(index, count))]
        if not missing:
            return
        folder = self._config_file.parent / "spread" / group[0].key[:16]
        folder.mkdir(parents=True, exist_ok=True)
        command = TaskCommand(
            self._config_file.absolute(),
            tuple(stage.key for stage in group),
            count,
            folder.absolute(),
            Path.cwd(),
            _threads(),
        )
        labels = ", ".join(stage.label for stage in group)
        print(f"  {labels}: {len(missing)} tasks ({self._config.name})", file=sys.stderr, flush=True)
        self._run(command, group, missing)
        shutil.rmtree(folder, ignore_errors=True)  # on NFS, the log that a task still has open can prevent this
        with contextlib.suppress(OSError):  # it has folders of other stages
            folder.parent.rmdir()

    def _run(self, command: TaskCommand, group: Sequence[Stage], missing: Sequence[int]) -> None:
        for index in missing:
            command.error(index).unlink(missing_ok=True)
        module, name = _ENGINES[self._config.name]
        config = self._config
        if not isinstance(config, LocalSpread) and gpus.needed(group[0].config) == 0:
            config = replace(config, gpus=0)
        engine: Tasks = getattr(import_module(f"raft_exp.pipeline.spread.{module}"), name)(config, command)
        try:
            engine.start(missing)
            finished = self._finished(engine, command, group)
            done = command.count - len(missing)
            for _ in track(finished, f"tasks of {group[0].label}", command.count, done):
                pass
        finally:
            engine.stop()

    def _finished(self, engine: Tasks, command: TaskCommand, group: Sequence[Stage]) -> Iterator[int]:
        """Yields each task when all its shards are in the store. Starts lost tasks again."""
        starts: Counter[int] = Counter()
        for index in engine.ended():
            if self._is_complete(group, Shard(index, command.count)):
                yield index
                continue
            task = f"{group[0].label}: task {index + 1} of {command.count}"
            if command.error(index).exists():
                message, status = json.loads(command.error(index).read_text(encoding="utf-8"))
                raise (StoppedError if status == StoppedError.status else RaftError)(message)
            starts[index] += 1
            if starts[index] == _STARTS:
                raise RaftError(
                    f"{task} was lost {_STARTS} times, because its process was killed; see {command.log(index)}; "
                    "run the same command again to continue"
                )
            print(f"  {task} was lost; it is started again", file=sys.stderr, flush=True)
            engine.start([index])

    def _is_complete(self, group: Sequence[Stage], shard: Shard) -> bool:
        shards = (shard_of(stage, functions, shard) for stage in group if (functions := sharded(stage)))
        return all(self._store.look(each).status == "reused" for each in shards)


def _threads() -> int:
    """Returns torch's number of CPU threads in this process. With it, the sums of tasks have the same last bits."""
    import torch

    return int(torch.get_num_threads())
