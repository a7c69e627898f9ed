"""`python -m raft_exp.pipeline.worker CONFIG KEY OUT PARENT READ TELL`: stages in a process of their own.

So GPU memory is given back when they end, DDP ranks that are started again by Lightning (with these arguments) run this
one stage and not a whole sweep, and every process has one W&B run at a time. Further stages of the same `Stage.process`
come through the pipe READ, one JSON line [key, folder] each; how each one ended goes back through TELL, one JSON
line [error's message or "", exit status] each.

A stage with a launcher (srun, torchrun) runs in the processes that the launcher starts, perhaps on other machines: READ
is then `-` and TELL a file.
"""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raft_exp.core import tracking
from raft_exp.core.errors import ConfigError, RaftError, StoppedError
from raft_exp.core.processes import end_with, end_with_parent
from raft_exp.core.stage import Stage
from raft_exp.pipeline import gpus

_RANKS = ("RANK", "SLURM_PROCID")  # what launchers call the number of a process
_TELLING = 15  # seconds


class WorkerProcess:
    """The parent's side: at most one child at a time, kept while stages of its name come."""

    def __init__(self, config_file: Path) -> None:
        self._config_file = config_file
        self._name = ""
        self._child: subprocess.Popen[bytes] | None = None
        self._gpus = contextlib.ExitStack()  # those that the child holds

    def run(self, name: str, stage: Stage, out: Path) -> None:
        """Runs the stage in the child called `name` and waits. Raises RaftError with the child's own message."""
        if stage.launcher:
            self.close()
            _launch(self._config_file, stage, out)
            return
        if name != self._name:
            self.close()
        try:
            if self._child is None:
                self._start(name, stage, out)
            else:
                self._send([stage.key, str(out)])
            assert self._child is not None
            with _forwarding(self._child) as forwarded:
                told = self._told.readline()
        except BaseException:  # Ctrl-C: the child has heard it too
            self.close(patience=30)
            raise
        status = self.close() if not told or json.loads(told)[0] else 0  # after an error it ends
        _judge(stage, told, status, forwarded)

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
                [sys.executable, "-m", "raft_exp.pipeline.worker", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                pass_fds=[read, tell],
                env={**os.environ, **devices},
            )
            self._name = name
        finally:
            os.close(read)
            os.close(tell)

    def _send(self, job: list[str]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended meanwhile: no answer will come
            os.write(self._jobs, (json.dumps(job) + "\n").encode())


def _launch(config_file: Path, stage: Stage, out: Path) -> None:
    """Runs one stage in the processes that its launcher starts, and waits for the launcher."""
    told = config_file.with_name(f"{stage.key[:16]}.told")
    told.unlink(missing_ok=True)
    arguments = [config_file, stage.key, out, os.getpid(), "-", told]
    command = [*stage.launcher, sys.executable, "-m", "raft_exp.pipeline.worker", *map(str, arguments)]
    with gpus.claimed(gpus.needed(stage.config)) as devices:
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, env={**os.environ, **devices}, preexec_fn=end_with_parent
            )
        except OSError as error:
            raise ConfigError(
                f"trainer.rank_launcher={shlex.join(stage.launcher)!r}: {error.strerror}: {stage.launcher[0]}"
            ) from error
        with child, _forwarding(child, signal.SIGTERM) as forwarded:  # torchrun would die of any other
            try:
                status = child.wait()
            except BaseException:
                child.terminate()
                raise
    line = told.read_text(encoding="utf-8") if told.exists() else ""
    told.unlink(missing_ok=True)
    _judge(stage, line, status, forwarded)


def _judge(stage: Stage, told: str, status: int | None, forwarded: list[signal.Signals]) -> None:
    """Raises what the stage has ended with, if it did not end well."""
    message, its_status = json.loads(told or '["", 0]')
    if message:
        raise StoppedError(message) if its_status == StoppedError.status else RaftError(message)
    if forwarded and (status or not told):
        raise StoppedError(f"{stage.label} was stopped by {forwarded[0].name}; the same command goes on from there")
    if status or not told:
        raise RaftError(f"{stage.label}: its process ended with status {status}; what it printed stands above")


@contextlib.contextmanager
def _forwarding(
    child: "subprocess.Popen[bytes]", instead: signal.Signals | None = None
) -> Iterator[list[signal.Signals]]:
    """Passes SIGTERM and SIGUSR1 (or another one instead) on to the child meanwhile: training saves its state then."""
    forwarded: list[signal.Signals] = []

    def forward(number: int, frame: Any) -> None:
        forwarded.append(signal.Signals(number))
        child.send_signal(instead or number)

    if threading.current_thread() is not threading.main_thread():
        yield forwarded
        return
    before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield forwarded
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main() -> None:
    """The child's side: builds the study again from its resolved config and runs the stages that it is told."""
    config_file, key, out, parent, read, tell = sys.argv[1:7]
    end_with(int(parent), launched=read == "-")
    stages = _Stages(Path(config_file))
    if read == "-" or ("LOCAL_RANK" in os.environ and os.getppid() != int(parent)):
        _rank(stages, key, Path(out), Path(tell) if read == "-" else None)
        return
    for stage, folder in _jobs(key, out, int(read)):
        told = stages.run(stage, Path(folder))
        os.write(int(tell), told.encode())
        if status := json.loads(told)[1]:
            sys.exit(status)


def _jobs(key: str, out: str, read: int) -> Iterator[tuple[str, str]]:
    yield key, out
    with os.fdopen(read, encoding="utf-8") as jobs:
        for line in jobs:  # until the parent closes the pipe, or ends
            yield tuple(json.loads(line))


def _rank(stages: "_Stages", key: str, out: Path, tell: Path | None) -> None:
    """One of several processes has the one stage of its arguments, and no pipe of its own."""
    told = stages.run(key, out)
    message, status = json.loads(told)
    first = tell is not None and not any(int(os.environ.get(name, 0)) for name in _RANKS)
    if first and tell:
        with contextlib.suppress(OSError):
            tell.write_text(told, encoding="utf-8")
    if status and not first:
        # What all of them ended with, the first one tells, and its end is the end of this one. Where it cannot, as this
        # one alone has failed, it is told here; and the launcher ends the others when it sees the status.
        time.sleep(_TELLING)
        print(message, file=sys.stderr, flush=True)
    sys.exit(status)


class _Stages:
    """The study that a resolved config describes."""

    def __init__(self, config_file: Path) -> None:
        self._config_file = config_file
        self._built: dict[str, Stage] = {}

    def run(self, key: str, out: Path) -> str:
        """Runs one stage into `out`; returns the line that tells how it ended."""
        try:
            self._run(key, out)
        except RaftError as error:
            return json.dumps([str(error) or type(error).__name__, error.status]) + "\n"
        return json.dumps(["", 0]) + "\n"

    def _run(self, key: str, out: Path) -> None:
        if not self._built:
            self._build()
        stage = self._built[key]
        tracking.enter_stage(stage.label)
        try:
            with self._store.guarded():
                self._store.call(stage, out)
        finally:
            tracking.active().end_run()

    def _build(self) -> None:
        import logging

        import yaml

        from raft_exp.pipeline import build as pipeline
        from raft_exp.pipeline.config import parse
        from raft_exp.pipeline.store import Fingerprints, Store
        from raft_exp.reporting.wandb.tracker import tracker_of

        logging.basicConfig(  # every rank writes into the run's own log
            filename=self._config_file.with_name("raft_exp.log"),
            level=logging.INFO,
            format="[%(asctime)s][%(name)s][%(levelname)s] %(message)s",
        )
        shown = logging.StreamHandler()
        shown.setLevel(logging.WARNING)
        shown.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        logging.getLogger().addHandler(shown)
        values: dict[str, Any] = yaml.safe_load(self._config_file.read_text())
        config = parse(values)
        self._store = Store(config.store)
        tracking.activate(tracker_of(values, self._config_file.parent))
        self._built = {stage.key: stage for stage in pipeline.build(config, Fingerprints(self._store, save=False))}


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)  # the study says how to go on
