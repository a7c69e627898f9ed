"""Runs the tasks as processes of this machine."""

import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from raft_exp.pipeline.spread.command import TaskCommand
from raft_exp.pipeline.spread_settings import LocalSpread

_PATIENCE = 10  # seconds for a task to end after SIGTERM


class LocalTasks:
    """The tasks as processes of this machine, each watched by a thread."""

    def __init__(self, config: LocalSpread, command: TaskCommand) -> None:
        self._command = command
        self._threads = ThreadPoolExecutor(command.count, thread_name_prefix="spread")
        self._running: dict[Future[int], int] = {}
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._starting = threading.Lock()
        self._stopped = False

    def start(self, tasks: Sequence[int]) -> None:
        """Starts these tasks."""
        for index in tasks:
            self._running[self._threads.submit(self._run, index)] = index

    def ended(self) -> Iterator[int]:
        """Yields each task when its process ends, until no task is left."""
        while self._running:
            for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                index = self._running.pop(future)
                future.result()
                yield index

    def stop(self) -> None:
        """Ends the tasks that still run."""
        with self._starting:
            self._stopped = True
        for process in list(self._processes):
            process.terminate()
        for process in list(self._processes):
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        self._threads.shutdown(cancel_futures=True)

    def _run(self, index: int) -> int:
        with self._starting:
            if self._stopped:
                return 1
            process = self._command.start(index)
            self._processes.add(process)
        with process:
            status = process.wait()
        self._processes.discard(process)
        return status
