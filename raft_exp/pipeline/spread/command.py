"""Starts the process of one task. Engines call a `TaskCommand` on the machine that runs the task."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_MODULE = "raft_exp.pipeline.spread.task"


@dataclass(frozen=True)
class TaskCommand:
    """The command line of the tasks of one group of stages."""

    config_file: Path
    keys: tuple[str, ...]  # of the stages; the study holds the lock of the first stage
    count: int  # number of tasks
    folder: Path  # for the logs and error messages of the tasks
    working_folder: Path
    threads: int  # CPU threads of torch: their number changes the last bits of sums

    def start(self, index: int) -> "subprocess.Popen[bytes]":
        """Starts task `index`. Its output goes to a log file. The task ends when this process ends."""
        arguments = [self.config_file, index, self.count, os.getpid(), self.folder, *self.keys]
        with self.log(index).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", _MODULE, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.working_folder,
                env={**os.environ, "OMP_NUM_THREADS": str(self.threads)},
            )

    def __call__(self, index: int) -> int:
        """Runs task `index`, and returns the exit status of its process."""
        with self.start(index) as process:
            return process.wait()

    def log(self, index: int) -> Path:
        """Returns the log file of a task."""
        return self.folder / f"{index}.log"

    def error(self, index: int) -> Path:
        """Returns the file with the error message of a task. It exists only after a failure."""
        return self.folder / f"{index}.error"
