"""Runs the tasks on a Ray cluster."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ray

from raft_exp.core.errors import ConfigError
from raft_exp.pipeline import gpus
from raft_exp.pipeline.spread.command import TaskCommand
from raft_exp.pipeline.spread_settings import RaySpread


class RayTasks:
    """The tasks as remote functions of Ray. `driver` starts a lost task again, so Ray itself does not.

    Raises ConfigError if there is no cluster at the address, or this machine alone is too small for a task.
    """

    def __init__(self, config: RaySpread, command: TaskCommand) -> None:
        self._ends = not ray.is_initialized()  # whether this object disconnects from the cluster
        try:
            ray.init(config.address or "local", ignore_reinit_error=True, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            remedy = (
                "start a cluster with `ray start --head`, or use spread.address=null, which starts Ray on this machine"
                if config.address
                else "use spread=local"
            )
            address = config.address or "null"
            raise ConfigError(f"spread.address={address}: Ray cannot be used ({reason}); {remedy}") from error
        self._check_size(config, ray.nodes())
        options = {"num_cpus": config.cpus, "num_gpus": config.gpus, "max_retries": 0}
        self._remote, self._command = ray.remote(**options)(_run), command
        self._shares_gpus = 0 < config.gpus < 1
        self._running: dict[Any, int] = {}

    def start(self, tasks: Sequence[int]) -> None:
        """Starts these tasks."""
        for index in tasks:
            self._running[self._remote.remote(self._command, index, self._shares_gpus)] = index

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

    def _check_size(self, config: RaySpread, machines: Sequence[Mapping[str, Any]]) -> None:
        """Checks that a machine is large enough for a task, because Ray waits for such a machine without a message.

        Raises ConfigError if Ray runs on this machine alone. Prints a line if Ray runs on a cluster, because a machine
        may still join it.
        """
        for machine in machines:
            has = machine["Resources"]
            if machine["Alive"] and has.get("CPU", 0) >= config.cpus and has.get("GPU", 0) >= config.gpus:
                return
        wanted = f"spread.cpus={config.cpus:g} and spread.gpus={config.gpus:g}"
        if config.address is None:
            if self._ends:
                ray.shutdown()
            raise ConfigError(f"{wanted}: this machine has fewer CPU cores or GPUs; lower these settings")
        line = f"  no machine of the Ray cluster has {wanted}; the tasks wait until such a machine joins the cluster"
        line += "; otherwise stop the study and lower these settings"
        print(line, file=sys.stderr, flush=True)


def _run(command: TaskCommand, index: int, shares_gpus: bool) -> int:
    if shares_gpus:
        os.environ[gpus.SHARED] = "1"  # the process of the task inherits the variables of this process
    return command(index)
