"""Runs work on untrusted files in a child process, with limits on time and memory.

    limited.ask("raft_exp.models.template_child", data, seconds=10)   # in the parent
    limited.answer(work)                                               # in the module that the child runs

A template or a regular expression can run for hours in C code, where Python handles no signal. The kernel can end a
child process at any time.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from raft_exp.core.processes import end_with_parent

_START = 120.0  # maximum seconds for the start of a process on a busy machine
_MEMORY, _DEPTH = 70, 71  # exit statuses of the child
_SIGNALS = {signal.SIGXCPU, signal.SIGKILL}  # by which the kernel ends a process at the limit of time


class LimitError(Exception):
    """The work exceeded a limit. The message completes "needs ..." in a message of the caller: "more than 10 s"."""


def ask(module: str, data: object, seconds: int, memory_mb: int = 2048) -> Any:
    """Sends JSON data to a child process that runs `module`, and returns its JSON result.

    `seconds`: limit of the CPU time, which does not depend on other load of the machine. `memory_mb`: limit of the
    memory in MiB beyond that of the idle child (Linux only). Raises LimitError above a limit or after
    120 + 4 * `seconds` seconds of real time, and RuntimeError if the child fails for another reason.
    """
    command = [sys.executable, "-m", module, str(seconds), str(memory_mb)]
    try:
        done = subprocess.run(
            command, input=json.dumps(data), capture_output=True, text=True, timeout=_START + 4 * seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise LimitError(f"more than {seconds} s") from None
    if done.returncode < 0:
        ended = signal.Signals(-done.returncode)
        too_many = f"too many resources (the signal {ended.name} ended the process)"
        raise LimitError(f"more than {seconds} s" if ended in _SIGNALS else too_many)
    if done.returncode == _MEMORY:
        raise LimitError(f"more than {memory_mb} MB of memory")
    if done.returncode == _DEPTH:
        raise LimitError("more levels of nesting than Python allows")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise RuntimeError(f"{module}: {lines[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def answer(work: Callable[[Any], object], *modules: str) -> None:
    """In the child process: reads data from stdin, runs `work` on them, and prints the result as JSON.

    `modules`: names of the modules that `work` imports. They are imported before the limits apply, because an import
    can take longer than the work. The arguments of the command line are the limits: seconds and MiB.
    """
    seconds, memory_mb = int(sys.argv[1]), int(sys.argv[2])
    end_with_parent()
    data = json.load(sys.stdin)
    for module in modules:
        importlib.import_module(module)
    _limit(seconds, memory_mb)
    try:
        result = json.dumps(work(data))
    except MemoryError:
        os._exit(_MEMORY)  # without clean-up, which may need memory too
    except RecursionError:
        os._exit(_DEPTH)
    print(result)


def _limit(seconds: int, memory_mb: int) -> None:
    """Limits the CPU time and memory of this process to its present use plus `seconds` and `memory_mb`."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, until + 1))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
