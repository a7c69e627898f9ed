"""`python -m raft_exp.worker CONFIG KEY OUT PARENT READ TELL`: stages in a process of their own.

So GPU memory is given back when they end, DDP ranks that are started again by Lightning (with these arguments) run this
one stage and not a whole sweep, and every process has one W&B run at a time. Further stages of the same `Stage.process`
come through the pipe READ, one JSON line [key, folder] each; how each one ended goes back through TELL, one JSON
string a line: empty, or the error's message.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raft_exp import gpus
from raft_exp.errors import RaftError
from raft_exp.stage import Stage


class OwnProcess:
    """The parent's side: at most one child at a time, kept while stages of its name come."""

    def __init__(self, config_file: Path) -> None:
        self._config_file = config_file
        self._name = ""
        self._child: subprocess.Popen[bytes] | None = None
        self._gpus = contextlib.ExitStack()  # those that the child holds

    def run(self, name: str, stage: Stage, out: Path) -> None:
        """Runs the stage in the child called `name` and waits. Raises RaftError with the child's own message."""
        if name != self._name:
            self.close()
        try:
            if self._child is None:
                self._start(name, stage, out)
            else:
                self._send([stage.key, str(out)])
            told = self._told.readline()
        except BaseException:  # Ctrl-C: the child has heard it too
            self.close(patience=5)
            raise
        if message := json.loads(told or '""'):
            self.close()
            raise RaftError(message)
        if not told:
            status = self.close()
            raise RaftError(f"{stage.label}: its process ended with status {status}; what it printed stands above")

    def close(self, patience: float = 60) -> int | None:
        """Ends the child, if there is one, after `patience` seconds by force; returns its exit status."""
        if self._child is None:
            return None
        child, self._child, self._name = self._child, None, ""
        os.close(self._jobs)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        finally:
            self._told.close()
            self._gpus.close()
        return child.returncode

    def _start(self, name: str, stage: Stage, out: Path) -> None:
        self._gpus.close()  # of a start that failed
        devices = self._gpus.enter_context(gpus.claimed(gpus.needed(stage.config)))
        # pipes, not files: the disk may be what is full
        (read, self._jobs), (told, tell) = os.pipe(), os.pipe()
        self._told = os.fdopen(told, encoding="utf-8")
        arguments = [self._config_file, stage.key, out, os.getpid(), read, tell]
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "raft_exp.worker", *map(str, arguments)],
                stdin=subprocess.DEVNULL, pass_fds=[read, tell], env={**os.environ, **devices},
            )  # fmt: skip
            self._name = name
        finally:
            os.close(read)
            os.close(tell)

    def _send(self, job: list[str]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended meanwhile: no answer will come
            os.write(self._jobs, (json.dumps(job) + "\n").encode())


def main() -> None:
    """The child's side: builds the study again from its resolved config and runs the stages that it is told."""
    config_file, key, out, parent, read, tell = sys.argv[1:7]
    end_with(int(parent))
    stages = _Stages(Path(config_file))
    if "LOCAL_RANK" in os.environ and os.getppid() != int(parent):
        _rank(stages, key, Path(out))
        return
    for stage, folder in _jobs(key, out, int(read)):
        message = ""
        try:
            stages.run(stage, Path(folder))
        except RaftError as error:
            message = str(error) or type(error).__name__
        os.write(int(tell), (json.dumps(message) + "\n").encode())
        if message:
            sys.exit(2)


def _jobs(key: str, out: str, read: int) -> Iterator[tuple[str, str]]:
    yield key, out
    with os.fdopen(read, encoding="utf-8") as jobs:
        for line in jobs:  # until the parent closes the pipe, or ends
            yield tuple(json.loads(line))


def _rank(stages: "_Stages", key: str, out: Path) -> None:
    """A DDP rank has the one stage of its arguments, and no pipe of its own."""
    try:
        stages.run(key, out)
    except RaftError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


class _Stages:
    """The study that a resolved config describes."""

    def __init__(self, config_file: Path) -> None:
        self._config_file = config_file
        self._built: dict[str, Stage] = {}

    def run(self, key: str, out: Path) -> None:
        """Runs one stage into `out`."""
        from raft_exp import runner, tracking

        if not self._built:
            self._build()
        stage = self._built[key]
        tracking.entering(stage.label)
        try:
            with self._store.guarded():
                stage.function(stage.config, **runner.paths(self._store, stage), out=out)
        finally:
            tracking.finish()

    def _build(self) -> None:
        import logging

        import yaml

        from raft_exp import pipeline, tracking
        from raft_exp.config import parse
        from raft_exp.store import Fingerprints, Store

        logging.basicConfig(  # every rank writes into the run's own log
            filename=self._config_file.with_name("raft_exp.log"), level=logging.INFO,
            format="[%(asctime)s][%(name)s][%(levelname)s] %(message)s",
        )  # fmt: skip
        values: dict[str, Any] = yaml.safe_load(self._config_file.read_text())
        config = parse(values)
        self._store = Store(config.store)
        tracking.activate(tracking.Tracker(config.logger, config.study, values, self._config_file.parent))
        self._built = {stage.key: stage for stage in pipeline.build(config, Fingerprints(self._store, save=False))}


def end_with(parent: int) -> None:
    """A killed study takes its stage along: two of them must never write into one folder."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    # DDP ranks are children of rank 0's process, not of the study's
    if os.getppid() != parent and "LOCAL_RANK" not in os.environ:
        sys.exit(f"the study that started this stage (process {parent}) has ended")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)  # the study says how to go on
