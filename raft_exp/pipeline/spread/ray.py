"""Runs the tasks on a Ray cluster."""

from collections.abc import Iterator, Sequence
from typing import Any

import ray

from raft_exp.pipeline.spread.command import TaskCommand
from raft_exp.pipeline.spread_settings import RaySpread


class RayTasks:
    """The tasks as remote functions of Ray. `driver` starts a lost task again, so Ray itself does not."""

    def __init__(self, config: RaySpread, command: TaskCommand) -> None:
        self._ends = not ray.is_initialized()  # whether this object disconnects from the cluster
        ray.init(config.address, ignore_reinit_error=True, log_to_driver=False, logging_level="ERROR")
        options = {"num_cpus": config.cpus, "num_gpus": config.gpus, "max_retries": 0}
        self._remote, self._command = ray.remote(**options)(_run), command
        self._running: dict[Any, int] = {}

    def start(self, tasks: Sequence[int]) -> None:
        """Starts these tasks."""
        for index in tasks:
            self._running[self._remote.remote(self._command, index)] = index

    def ended(self) -> Iterator[int]:
        """Yields each task when it ends, until no task is left."""
        while self._running:
            for done in ray.wait(list(self._running))[0]:
                yield self._running.pop(done)

    def stop(self) -> None:
        """Ends the tasks that still run."""
        for reference in self._running:
            ray.cancel(reference, force=True)
        if self._ends:
            ray.shutdown()


def _run(command: TaskCommand, index: int) -> int:
    return command(index)
