"""Ends a command on a signal with a one-line message, and child processes when their parent process ends."""

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

_COMMAND = "RAFT_EXP_COMMAND"  # environment variable: process id of the command, for the jobs that a launcher starts
_LOOK = 0.5  # seconds between two checks of the parent


class StopSignal(BaseException):
    """Raised on SIGTERM and SIGUSR1. It is a BaseException, so that `except Exception` does not catch it."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Context manager for a command: Ctrl-C, SIGTERM and SIGUSR1 end the command with a one-line message.

    The exit status for SIGTERM and SIGUSR1 (SLURM's warning before the time limit) is 75. During training, other
    handlers replace these, so that training ends after a complete step.
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
    """Opens closed standard streams (`>&-`) on the null device.

    Otherwise the next file to be opened would get the file descriptor of stdout, and printed text would go into it.
    """
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


class TimeLimitError(Exception):
    """Raised if a `with time_limit(...)` block exceeds its limit."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Context manager: raises TimeLimitError in the block after `seconds`, as soon as Python code runs.

    There is no limit outside the main thread, because only this thread receives signals.
    """
    if threading.current_thread() is not threading.main_thread() or os.name != "posix":
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeLimitError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def begin_command() -> None:
    """Stores the id of this process in an environment variable, as the id of the command.

    `end_with_command` reads the variable in child processes.
    """
    os.environ[_COMMAND] = str(os.getpid())


def end_with_command() -> None:
    """Kills this process when the command has ended, if a launcher started this process as a child of the command.

    A thread checks the parent's process id every 0.5 s. `end_with_parent` cannot be used here: Linux sends the signal
    when the thread that started the process ends, and launchers start processes from short-lived threads.
    """
    parent = os.getppid()
    if os.environ.get(_COMMAND) == str(parent) and parent != os.getpid():
        threading.Thread(target=_watch, args=(parent,), name="raft_exp parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGKILL)


def end_with(parent: int, launched: bool = False) -> None:
    """Makes this process end together with its study, so that two processes never write into one folder.

    `parent`: the process id of the study. If the study has already ended, this process exits at once. `launched`: this
    process was started by a launcher (srun, torchrun), which ends with the study; then `parent` is not compared.
    """
    end_with_parent()
    # DDP ranks are children of rank 0's process, not of the study's
    if not launched and os.getppid() != parent and "LOCAL_RANK" not in os.environ:
        sys.exit(f"the study that started this stage (process {parent}) has ended; start the study again")


def end_with_parent() -> None:
    """Makes the kernel kill this process when its parent ends (Linux only; does nothing elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
