"""Runs commands in processes that need not import torch and transformers, which takes seconds of CPU time.

A server process imports them once. Each command runs in a fork of it, as `python -m MODULE` does: with its own working
directory, environment, arguments and output, and with the interpreter's own exit. All forks have one hash seed.

A test needs a new process (`command_line.command`) where it is about the start itself: signals during imports, the
encoding of the streams, what is imported, installed extras.
"""

import contextlib
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from raft_exp.core import bm25s_package
from raft_exp.core.processes import end_with_parent

# What studies import, in the order in which they do.
_PACKAGES = (
    "raft_exp.apps.cli",
    "transformers.models.auto",
    "peft",
    "pytorch_lightning",
    "matplotlib.figure",
    "rouge_score.rouge_scorer",
)
# Environment variables that Python and these packages read at their start.
_AT_START = ("HF_HOME", "HF_HUB_", "LANG", "LC_", "LD_", "MKL_", "OMP_", "PYTHON", "TORCH")
_OUTPUTS = ("out", "err")
_ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def can_run(environment: Mapping[str, str]) -> bool:
    """Whether a fork can have this environment: no variable that is read at the start differs from the server's."""
    return _at_start(environment) == _at_start(_ENVIRONMENT)


def restored(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment in which the variables that are read at the start are those of the server.

    A test that trains in this process may leave others behind.
    """
    others = {name: value for name, value in environment.items() if not name.startswith(_AT_START)}
    return {**others, **_at_start(_ENVIRONMENT)}


@dataclass(frozen=True)
class Running:
    """A command that runs. `pid`: its process, which leads a process group. The server runs one command at a time."""

    pid: int
    _outputs: "TemporaryDirectory[str]"

    def has_ended(self) -> bool:
        """Whether `finish` would return at once."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def send_signal(self, number: int) -> None:
        """Sends the signal, unless the command has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> int:
        """Ends the command with SIGKILL. Returns its exit status, which is another one if it had ended before."""
        self.send_signal(signal.SIGKILL)
        return self.finish()[0]

    def kill_group(self) -> None:
        """Ends the command, and all processes that it started in its group, with SIGKILL."""
        os.killpg(self.pid, signal.SIGKILL)
        self.finish()

    def finish(self) -> tuple[int, str, str]:
        """Waits for the end. Returns exit status, standard output and standard error."""
        status = _reply()
        _UNFINISHED.remove(self)
        with self._outputs as folder:
            out, err = ((Path(folder) / name).read_text(encoding="utf-8") for name in _OUTPUTS)
            return status, out, err


_UNFINISHED: list[Running] = []


def start(words: list[str], folder: Path, environment: Mapping[str, str]) -> Running:
    """Starts `python -m` with a module and its arguments."""
    for left in list(_UNFINISHED):  # of a test that failed
        left.kill()
    outputs = TemporaryDirectory()
    request = {"words": words, "folder": str(folder), "environment": dict(environment), "outputs": outputs.name}
    server = _server()
    assert server.stdin
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    _UNFINISHED.append(Running(_reply(), outputs))
    return _UNFINISHED[-1]


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_START)}


@cache
def _server() -> subprocess.Popen[str]:
    """Starts the server. It ends with the tests, when its standard input is closed."""
    return subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_ENVIRONMENT
    )


def _reply() -> int:
    server = _server()
    assert server.stdout
    return int(server.stdout.readline())


def _serve() -> None:
    """In the server: runs each request in a fork; writes its process id, then its exit status, to standard output."""
    sys.path.pop(0)  # the folder of this file, whose tokenizers.py is not the package
    for package in _PACKAGES:
        import_module(package)
    bm25s_package.load()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
            return
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    sys.exit()


def _become(request: dict[str, Any]) -> None:
    """In a fork: takes the folder, environment, streams and arguments of the request."""
    end_with_parent()
    os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    outputs = [os.path.join(request["outputs"], name) for name in _OUTPUTS]
    for number, file in enumerate([os.devnull, *outputs]):
        opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.path.insert(0, request["folder"])
    if (Path(request["folder"]) / "raft_exp").exists():  # a copy of the package, with the changes of a test
        for name in [name for name in sys.modules if name.partition(".")[0] in ("raft_exp", "hydra_plugins")]:
            del sys.modules[name]
    sys.argv = request["words"]


if __name__ == "__main__":
    _serve()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
