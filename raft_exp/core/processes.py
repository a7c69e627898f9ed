"""Child processes that end when their parent ends."""

import ctypes
import os
import signal
import sys


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
