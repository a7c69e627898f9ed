"""Runs the tasks as SLURM arrays, which submitit submits and monitors (with sbatch, sacct and scancel)."""

import time
from collections.abc import Iterator, Sequence

import submitit

from raft_exp.core.errors import ConfigError
from raft_exp.pipeline.spread.command import TaskCommand
from raft_exp.pipeline.spread_settings import SlurmSpread

ARRAY = 1000  # largest number of tasks of an array: SLURM's MaxArraySize is 1001 unless a cluster changes it
_LOOK = 1.0  # seconds between two checks of the tasks


class SlurmTasks:
    """The tasks as jobs of SLURM."""

    def __init__(self, config: SlurmSpread, command: TaskCommand) -> None:
        self._command = command
        self._jobs: dict[int, submitit.Job[int]] = {}
        self._executor = submitit.SlurmExecutor(command.folder)
        arrays = -(-config.tasks // ARRAY)  # they run at the same time, each with its share of `at_once`
        self._executor.update_parameters(
            job_name="raft_exp",
            time=config.minutes,
            cpus_per_task=config.cpus,
            mem=f"{int(config.memory_gb * 1024)}MB",
            array_parallelism=max(1, config.at_once // arrays) if config.at_once else config.tasks,
            use_srun=False,
            **({"partition": config.partition} if config.partition else {}),
            **({"account": config.account} if config.account else {}),
            **({"gpus_per_node": config.gpus} if config.gpus else {}),
            **({"additional_parameters": config.sbatch} if config.sbatch else {}),
        )

    def start(self, tasks: Sequence[int]) -> None:
        """Submits these tasks, at most 1,000 in an array. Raises ConfigError if sbatch refuses them."""
        for start in range(0, len(tasks), ARRAY):
            array = tasks[start : start + ARRAY]
            try:
                jobs = self._executor.map_array(self._command, array)
            except submitit.core.utils.FailedJobError as error:
                reason = " ".join(str(error).split())[:200]
                raise ConfigError(
                    f"spread: sbatch refused the tasks ({reason}); correct spread.partition, account, minutes, cpus, "
                    "memory_gb, gpus or sbatch, or use spread=local"
                ) from error
            self._jobs.update(zip(array, jobs, strict=True))

    def ended(self) -> Iterator[int]:
        """Yields each task when its job ends, until no task is left."""
        while self._jobs:
            done = [index for index, job in self._jobs.items() if job.done()]
            for index in done:
                del self._jobs[index]
                yield index
            if not done:
                time.sleep(_LOOK)

    def stop(self) -> None:
        """Cancels the jobs that still run."""
        for job in self._jobs.values():
            job.cancel(check=False)
