"""Stages that run side by side never share a GPU, unless RAFT_EXP_SHARE_GPUS=1 asks for it.

A stage that needs GPUs waits until so many are free on this machine, and its process sees these and no others. A lock
file for each stands in the temporary folder; the system frees it when its holder ends, however that was. Under SLURM
the scheduler has done all this, and nothing is locked.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from raft_exp.core.errors import ModelError

VISIBLE = "CUDA_VISIBLE_DEVICES"
SHARED = "RAFT_EXP_SHARE_GPUS"
_PAUSE = 0.5  # seconds between two looks for free ones


def needed(config: Any) -> int | None:
    """How many GPUs the stage with these settings takes; None: all there are."""
    trainer = getattr(config, "trainer", None)
    if trainer is not None:
        return 0 if trainer.accelerator == "cpu" else None if trainer.devices == "auto" else int(trainer.devices)
    model = getattr(config, "engine", None) or getattr(config, "encoder", None)
    if model is None or getattr(model, "name", "") == "openai" or getattr(model, "accelerator", "auto") == "cpu":
        return 0
    return int(getattr(model, "tensor_parallel_size", 1))


def check(stages: Iterable[Any]) -> None:
    """Raises ModelError where a stage asks for a GPU and there is none: before the hours that come before it."""
    for stage in (stage for stage in stages if not stage.launcher):  # which may start it on other machines
        for name in ("trainer", "engine", "encoder"):
            if getattr(getattr(stage.config, name, None), "accelerator", "") == "gpu" and not _found():
                raise ModelError(
                    f"{name}.accelerator=gpu: torch finds no GPU on this machine, and {stage.label} needs one; use a "
                    "machine with one, or trainer=cpu with a small model: model=pocket, model=tiny"
                )


@cache
def _found() -> bool:
    import torch

    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())


@contextlib.contextmanager
def claimed(wanted: int | None) -> Iterator[dict[str, str]]:
    """Waits for the GPUs and holds them; gives what the environment of their process must say, {} for nothing new."""
    there = visible()
    count = len(there) if wanted is None else wanted
    if not 0 < count <= len(there) or os.environ.get(SHARED) == "1" or "SLURM_JOB_ID" in os.environ:
        yield {}
        return
    held = _wait_for(there, count)
    try:
        yield {VISIBLE: ",".join(held)}
    finally:
        for lock in held.values():
            lock.release()


def visible() -> list[str]:
    """The GPUs that this process may use, by number or id."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True, check=False
    )
    return listed.stdout.split() if listed.returncode == 0 else []


def _wait_for(there: Sequence[str], count: int) -> dict[str, FileLock]:
    said = False
    while True:
        held = _take(there, count)
        if len(held) == count:
            return held
        if not said:
            print(
                f"  waiting for {count} free of {len(there)} GPUs ({SHARED}=1 shares them)", file=sys.stderr, flush=True
            )
            said = True
        time.sleep(_PAUSE)


def _take(there: Sequence[str], count: int) -> dict[str, FileLock]:
    """All at once or none, so that two who want several do not hold half each."""
    held: dict[str, FileLock] = {}
    with FileLock(_lock_file("all")):
        for name in there:
            lock = FileLock(_lock_file(name))
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=0)
                held[name] = lock
            if len(held) == count:
                return held
        for lock in held.values():
            lock.release()
    return {}


def _lock_file(name: str) -> Path:
    folder = Path(tempfile.gettempdir()) / f"raft_exp_gpus_{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{re.sub(r'[^A-Za-z0-9-]', '_', name)}.lock"
