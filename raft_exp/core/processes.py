"""Processes that end in one line at a signal, and child processes that end when their parent ends."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

from raft_exp.core.errors import StoppedError

_COMMAND = "RAFT_EXP_COMMAND"  # process id of the command, for the jobs that a launcher starts
_LOOK = 0.5  # seconds between two looks at the parent


class StopSignal(BaseException):
    """SIGTERM or SIGUSR1. Like KeyboardInterrupt it is no Exception, which handlers of failures would take."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Around a command: Ctrl-C, SIGTERM and SIGUSR1 end it in one line, from its first import on.

    SIGTERM and SIGUSR1 (SLURM's warning) end it with status 75. A training installs its own handlers meanwhile, to end
    after a step.
    """
    _open_streams()
    stop_on_signals()
    try:
        yield
    except StopSignal as stopped:
        print(f"StoppedError: stopped by {stopped}; the same command resumes from here", file=sys.stderr)
        sys.exit(StoppedError.status)
    except KeyboardInterrupt:
        sys.exit("\nstopped; the same command resumes from here")


def _open_streams() -> None:
    """Opens closed standard streams (`>&-`) to nowhere, before a file gets their number and with it what is printed."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def stop_on_signals() -> None:
    """Makes SIGTERM and SIGUSR1 raise StopSignal in the main thread."""
    if threading.current_thread() is threading.main_thread() and os.name == "posix":
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    raise StopSignal(signal.Signals(number).name)


def begin_command() -> None:
    """Records this process as the command, so that jobs that a launcher starts on this machine end with it."""
    os.environ[_COMMAND] = str(os.getpid())


def end_with_command() -> None:
    """In a job that a launcher started as a child of the command: kills this process when the command has ended.

    A thread looks at the parent's id. The kernel's own notice (`end_with_parent`) is about the thread that started the
    process, and launchers start processes from threads that end earlier.
    """
    parent = os.getppid()
    if os.environ.get(_COMMAND) == str(parent) and parent != os.getpid():
        threading.Thread(target=_watch, args=(parent,), name="raft_exp parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGKILL)


def end_with(parent: int, launched: bool = False) -> None:
    """Ends this process when the study that started it ends, so that two processes never write into one folder.

    `parent` is the process id of the study; where the study has already ended, this process exits at once. `launched`:
    the parent is a launcher (srun, torchrun), which ends with the study; its id is not compared.
    """
    end_with_parent()
    # DDP ranks are children of rank 0's process, not of the study's
    if not launched and os.getppid() != parent and "LOCAL_RANK" not in os.environ:
        sys.exit(f"the study that started this stage (process {parent}) has ended")


def end_with_parent() -> None:
    """Asks the kernel to kill this process when its parent ends (Linux only; does nothing elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
