"""GPU locks: stages that run at the same time do not share a GPU, unless RAFT_EXP_SHARE_GPUS=1 allows it.

A stage that needs n GPUs waits until n GPUs are free on this machine. CUDA_VISIBLE_DEVICES limits the process of the
stage to these GPUs. Each GPU has a lock file in /tmp, which all users of the machine share; RAFT_EXP_GPU_LOCKS names
another folder. The operating system releases a lock when the process that holds the lock ends, even if the process is
killed. Under SLURM the scheduler assigns the GPUs, and nothing is locked. Only the tasks of `spread=local` lock them:
they share the GPUs of one job.
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

from filelock import FileLock, Timeout

from raft_exp.core.errors import ModelError
from raft_exp.core.stage import Stage

VISIBLE = "CUDA_VISIBLE_DEVICES"
SHARED = "RAFT_EXP_SHARE_GPUS"
LOCKS = "RAFT_EXP_GPU_LOCKS"
# field of a stage's settings -> the config group with its accelerator
_PLACES = {"trainer": "trainer", "engine": "engine", "encoder": "encoder"}
_PLACES |= {"reranker": "retriever.rerank", "nli": "evaluation.nli"}
_LOCAL = {"teacher": "teacher.engine", "judge": "evaluation.judge.engine"}  # the same for models of other roles
_PAUSE = 0.5  # seconds between two attempts to lock


def needed(config: object) -> int | None:
    """Returns the number of GPUs that a stage with the settings `config` may use; None: all visible GPUs."""
    trainer = getattr(config, "trainer", None)
    if trainer is not None:
        return 0 if trainer.accelerator == "cpu" else None if trainer.devices == "auto" else int(trainer.devices)
    local = (getattr(getattr(config, name, None), "engine", None) for name in _LOCAL)
    models = (getattr(config, name, None) for name in ("engine", "encoder", "reranker", "nli"))
    model = next(filter(None, (*models, *local)), None)
    if model is None or getattr(model, "name", "") == "openai" or getattr(model, "accelerator", "auto") == "cpu":
        return 0
    return int(getattr(model, "tensor_parallel_size", 1))


def check(stages: Iterable[Stage]) -> None:
    """Raises ModelError if a stage requires a GPU and this machine has none. Called before any stage runs."""
    for stage in (stage for stage in stages if not stage.launcher):  # a launcher may use the GPUs of other machines
        places = {place: getattr(stage.config, name, None) for name, place in _PLACES.items()}
        local = {place: getattr(getattr(stage.config, name, None), "engine", None) for name, place in _LOCAL.items()}
        for place, model in {**places, **local}.items():
            if getattr(model, "accelerator", "") == "gpu" and not _has_gpu():
                raise ModelError(
                    f"{place}.accelerator=gpu: torch finds no GPU on this machine, and {stage.label} needs one; use a "
                    "machine with a GPU, or trainer=cpu with a small model: model=smollm2_135m, or model=tiny (random "
                    "weights) to try the settings"
                )


@cache
def _has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())


@contextlib.contextmanager
def claimed(wanted: int | None, within_job: bool = False) -> Iterator[dict[str, str]]:
    """Waits until `wanted` GPUs (None: all) are free, and locks them inside the `with` block.

    Yields the environment variables for the process that uses these GPUs. Locks nothing and yields {} if no GPU
    is needed or visible, if fewer than `wanted` are visible, if GPUs are shared, or under SLURM. `within_job`: whether
    several processes of one SLURM job share its GPUs, so that locks are needed there too.
    """
    devices = visible()
    count = len(devices) if wanted is None else wanted
    assigned = "SLURM_JOB_ID" in os.environ and not within_job
    if not 0 < count <= len(devices) or os.environ.get(SHARED) == "1" or assigned:
        yield {}
        return
    locks = _wait_for(devices, count)
    order = {} if VISIBLE in os.environ else {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # GPU numbers as in nvidia-smi
    try:
        yield {VISIBLE: ",".join(locks), **order}
    finally:
        for lock in locks.values():
            lock.release()


def visible() -> list[str]:
    """Returns the numbers or UUIDs of the GPUs that this process may use."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1")]
    return list(_uuids())


@cache
def _uuids() -> dict[str, str]:
    """Returns the UUID of each NVIDIA GPU of this machine by its number; {} without nvidia-smi."""
    if not shutil.which("nvidia-smi"):
        return {}
    listed = subprocess.run(
        ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"], capture_output=True, text=True, check=False
    )
    return dict(re.findall(r"^(\d+), (\S+)$", listed.stdout, re.MULTILINE)) if listed.returncode == 0 else {}


def _wait_for(devices: Sequence[str], count: int) -> dict[str, FileLock]:
    reported = False
    while True:
        locks = _take(devices, count)
        if len(locks) == count:
            return locks
        if not reported:
            message = f"  waiting until {count} of {len(devices)} GPUs are free ({SHARED}=1: share GPUs instead)"
            print(message, file=sys.stderr, flush=True)
            reported = True
        time.sleep(_PAUSE)


def _take(devices: Sequence[str], count: int) -> dict[str, FileLock]:
    """Locks `count` GPUs or none ({}), so that two processes that need several never hold half each."""
    locks: dict[str, FileLock] = {}
    all_gpus = _acquire("all", timeout=-1)
    try:
        for device in devices:
            with contextlib.suppress(Timeout):
                locks[device] = _acquire(_uuid(device), timeout=0)
            if len(locks) == count:
                return locks
        for lock in locks.values():
            lock.release()
        return {}
    finally:
        all_gpus.release()


def _acquire(name: str, timeout: float) -> FileLock:
    """Acquires the lock file of `name`, which all users of this machine share. A symbolic link is not followed.

    Waits at most `timeout` seconds (-1: without limit). Raises Timeout if another process still holds the lock,
    ModelError if this user cannot open the file.
    """
    folder = os.environ.get(LOCKS) or ("/tmp" if os.name == "posix" else tempfile.gettempdir())
    file = Path(folder) / f"raft_exp_gpu_{re.sub(r'[^A-Za-z0-9-]', '_', name)}.lock"
    lock = FileLock(file, mode=0o666)
    try:
        lock.acquire(timeout=timeout)
        os.utime(file)  # a new time: services that clean /tmp remove old files
    except Timeout:
        raise
    except OSError as error:
        raise ModelError(
            f"GPU lock {file}: {error.strerror}; remove that file, or set {LOCKS}=DIR to a folder that all users "
            f"of this machine can write, or set {SHARED}=1 to use GPUs without locks"
        ) from error
    return lock


def _uuid(device: str) -> str:
    """Returns the UUID of a GPU from its number or the beginning of its UUID; `device` itself if no GPU matches."""
    known = _uuids()
    return known.get(device) or next((uuid for uuid in known.values() if uuid.startswith(device)), device)
