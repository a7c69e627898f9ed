"""Processes that end with the one that started them."""

import ctypes
import os
import signal
import sys


def end_with(parent: int, launched: bool = False) -> None:
    """A killed study takes its stage along: two of them must never write into one folder.

    Processes of a launcher end with the launcher, which is to end with the study.
    """
    end_with_parent()
    # DDP ranks are children of rank 0's process, not of the study's
    if not launched and os.getppid() != parent and "LOCAL_RANK" not in os.environ:
        sys.exit(f"the study that started this stage (process {parent}) has ended")


def end_with_parent() -> None:
    """Has the kernel kill this process when its parent ends (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
