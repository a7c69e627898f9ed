"""`python -m raft_exp.pipeline.worker CONFIG KEY OUT PARENT READ TELL`: runs stages in a separate process.

Reasons for a separate process:

- GPU memory is freed when the process ends.
- Lightning starts DDP ranks with the arguments of this process, so that a rank runs one stage and not a whole sweep.
- A process has one W&B run at a time.

Arguments: CONFIG is the config.yaml of the run, PARENT the process id of the study. KEY and OUT are the key and the
result folder of the first stage. Further stages of the same `Stage.process` are read from the pipe READ, as JSON lines
[key, folder]. For each stage one JSON line [error message or "", exit status] is written to the pipe TELL.

A launcher (srun, torchrun) starts the processes of a stage itself, possibly on other machines. READ is then `-`, and
TELL is a file.
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
from types import FrameType

from raft_exp.core import screen, tracking
from raft_exp.core.errors import ConfigError, RaftError, StoppedError
from raft_exp.core.processes import end_with, end_with_parent
from raft_exp.core.stage import Stage
from raft_exp.pipeline import gpus
from raft_exp.pipeline.rebuilt import RebuiltStudy, log_to_file

_RANKS = ("RANK", "SLURM_PROCID")  # environment variables in which launchers number their processes
_FIRST_RANK_PATIENCE = 15  # seconds between the failure of another rank and its message


class WorkerProcess:
    """Runs stages in a child process. A child is kept while the next stages have the same process name."""

    def __init__(self, config_file: Path) -> None:
        self._config_file = config_file
        self._name = ""
        self._child: subprocess.Popen[bytes] | None = None
        self._gpus = contextlib.ExitStack()  # holds the child's GPU locks

    def run(self, name: str, stage: Stage, out: Path) -> None:
        """Runs the stage in the child process `name`, with results in `out`. Raises RaftError if the stage fails."""
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
                reply = self._replies.readline()
        except BaseException:  # Ctrl-C: the child receives the signal too
            self.close(patience=30)
            raise
        status = self.close() if not reply or json.loads(reply)[0] else 0  # after an error, the child ends
        _raise_error(stage, reply, status, forwarded)

    def close(self, patience: float = 60) -> int | None:
        """Ends the child; kills it after `patience` seconds. Returns its exit status; None if there is no child."""
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
            self._replies.close()
            self._gpus.close()
        return child.returncode

    def _start(self, name: str, stage: Stage, out: Path) -> None:
        self._gpus.close()  # locks that remain if the last start failed
        devices = self._gpus.enter_context(gpus.claimed(gpus.needed(stage.config)))
        # pipes, not files: a full disk must still be reported
        (read, self._jobs), (replies, tell) = os.pipe(), os.pipe()
        self._replies = os.fdopen(replies, encoding="utf-8")
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
        with contextlib.suppress(BrokenPipeError):  # the child has ended: there will be no reply
            os.write(self._jobs, (json.dumps(job) + "\n").encode())


def _launch(config_file: Path, stage: Stage, out: Path) -> None:
    """Runs one stage in the processes that its launcher starts, and waits for the launcher."""
    reply_file = config_file.with_name(f"{stage.key[:16]}.told")
    reply_file.unlink(missing_ok=True)
    arguments = [config_file, stage.key, out, os.getpid(), "-", reply_file]
    command = [*stage.launcher, sys.executable, "-m", "raft_exp.pipeline.worker", *map(str, arguments)]
    with gpus.claimed(gpus.needed(stage.config)) as devices:
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, env={**os.environ, **devices}, preexec_fn=end_with_parent
            )
        except OSError as error:
            raise ConfigError(
                f"trainer.rank_launcher={shlex.join(stage.launcher)!r}: {error.strerror}: {stage.launcher[0]}; name an "
                "installed program"
            ) from error
        # torchrun forwards SIGTERM to its ranks, but SIGUSR1 ends it
        with child, _forwarding(child, signal.SIGTERM) as forwarded:
            try:
                status = child.wait()
            except BaseException:
                child.terminate()
                raise
    reply = reply_file.read_text(encoding="utf-8") if reply_file.exists() else ""
    reply_file.unlink(missing_ok=True)
    _raise_error(stage, reply, status, forwarded)


def _raise_error(stage: Stage, reply: str, status: int | None, forwarded: list[signal.Signals]) -> None:
    """Raises the error of a failed stage: from the reply of its process, else from the exit status of the process."""
    message, reported_status = json.loads(reply or '["", 0]')
    if message:
        raise StoppedError(message) if reported_status == StoppedError.status else RaftError(message)
    if forwarded and (status or not reply):
        raise StoppedError(f"{stage.label} was stopped by {forwarded[0].name}; run the same command again to resume it")
    if status or not reply:
        raise RaftError(f"{stage.label}: the process of this stage ended with status {status}; see the output above")


@contextlib.contextmanager
def _forwarding(
    child: "subprocess.Popen[bytes]", instead: signal.Signals | None = None
) -> Iterator[list[signal.Signals]]:
    """Inside the `with` block, forwards SIGTERM and SIGUSR1 to the child, which then saves the state of its training.

    `instead`: the signal that is sent in place of these two. Yields the list of the received signals.
    """
    forwarded: list[signal.Signals] = []

    def forward(number: int, frame: FrameType | None) -> None:
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
    """Runs in the child process: builds the study from its resolved config, and runs the requested stages."""
    screen.take_any_text()
    config_file, key, out, parent, read, tell = sys.argv[1:7]
    end_with(int(parent), launched=read == "-")
    stages = _Stages(Path(config_file))
    if read == "-" or ("LOCAL_RANK" in os.environ and os.getppid() != int(parent)):
        _rank(stages, key, Path(out), Path(tell) if read == "-" else None)
        return
    for stage, folder in _jobs(key, out, int(read)):
        reply = stages.run(stage, Path(folder))
        os.write(int(tell), reply.encode())
        if status := json.loads(reply)[1]:
            sys.exit(status)


def _jobs(key: str, out: str, read: int) -> Iterator[tuple[str, str]]:
    yield key, out
    with os.fdopen(read, encoding="utf-8") as jobs:
        for line in jobs:  # until the parent closes the pipe, or ends
            yield tuple(json.loads(line))


def _rank(stages: "_Stages", key: str, out: Path, tell: Path | None) -> None:
    """Runs the stage `key` as one rank of a training. Only the first rank of a launcher writes a reply to `tell`."""
    reply = stages.run(key, out)
    message, status = json.loads(reply)
    first = tell is not None and not any(int(os.environ.get(name, 0)) for name in _RANKS)
    if first and tell:
        with contextlib.suppress(OSError):
            tell.write_text(reply, encoding="utf-8")
    if status and not first:
        # If all ranks fail, the first rank replies, and the launcher ends this rank during the pause. If only this rank
        # fails, it prints its error, and its exit status makes the launcher end the other ranks.
        time.sleep(_FIRST_RANK_PATIENCE)
        print(message, file=sys.stderr, flush=True)
    sys.exit(status)


class _Stages:
    """The stages of a study. They are built from its resolved config when the first stage runs."""

    def __init__(self, config_file: Path) -> None:
        self._config_file = config_file
        self._study: RebuiltStudy | None = None

    def run(self, key: str, out: Path) -> str:
        """Runs one stage into `out`; returns the reply: a JSON line [error message or "", exit status]."""
        try:
            self._run(key, out)
        except RaftError as error:
            return json.dumps([str(error) or type(error).__name__, error.status]) + "\n"
        return json.dumps(["", 0]) + "\n"

    def _run(self, key: str, out: Path) -> None:
        self._study = study = self._study or self._build()
        stage = study.stages[key]
        tracking.enter_stage(stage.label)
        try:
            with study.store.guarded():
                study.store.call(stage, out)
        finally:
            tracking.active().end_run()

    def _build(self) -> RebuiltStudy:
        from raft_exp.reporting.wandb.tracker import tracker_of

        log_to_file(self._config_file.with_name("raft_exp.log"))
        study = RebuiltStudy(self._config_file)
        tracking.activate(tracker_of(study.values, self._config_file.parent))
        return study


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)  # the study prints how to resume
