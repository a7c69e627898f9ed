"""Runs the command line in a process of its own."""

import ctypes
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.helpers import warm_process

# A study of every stage in seconds: what it finds is noise, how it is found is not.
SMALL = (
    "model=tiny",
    "trainer.threads=1",
    "corpus.num_entities=100",
    "trainer.max_steps=3",
    "trainer.batch_size=4",
    "evaluation.max_items=6",
    "model.max_new_tokens=32",
    "trainer.checkpoint_every=1",
)

# A study whose stages are long enough to be hit: for kills.
KILLED = (
    "model=tiny",
    "trainer.threads=1",
    "dataset.p=0.8",
    "corpus.num_entities=1500",
    "dataset.max_items=60",
    "trainer.max_steps=12",
    "trainer.batch_size=4",
    "trainer.checkpoint_every=1",
    "evaluation.max_items=24",
    "evaluation.arms=[sft_rag,raft]",
    "evaluation.conditions=null",
    "model.max_new_tokens=48",
    "engine.batch_tokens=1500",
)


_SEVERAL = """
import json, sys
from importlib import import_module
for name, *words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    import_module(name).main()
"""


def several(*lines: tuple[str, ...]) -> list[str]:
    """Returns the call of a process that runs several commands: the module with `main` and the words of each."""
    return [sys.executable, "-c", _SEVERAL, json.dumps(lines)]


def command(*overrides: str) -> list[str]:
    return [sys.executable, "-m", "raft_exp", *overrides]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160", **more}


def raft_exp(folder: Path, *overrides: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a study in a process of its own; returns the finished process, with its output."""
    return run_module("raft_exp", folder, *overrides, **more)


def run_module(module: str, folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m module` in a process of its own; returns the finished process, with its output."""
    return run_words(folder, "-m", module, *arguments, **more)


def run_words(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs `python` with some words in a process of its own; returns the finished process, with its output."""
    line, environ = [sys.executable, *words], environment(**more)
    if words[0] == "-m" and warm_process.can_run(environ):
        running = warm_process.start(list(words[1:]), folder, environ)
        return subprocess.CompletedProcess(line, *running.finish())
    return subprocess.run(line, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def start(folder: Path, *overrides: str, **more: str) -> warm_process.Running:
    """Starts a study in a process of its own, for a test that sends it signals."""
    environ = {**warm_process.restored(environment()), **more}
    assert warm_process.can_run(environ)
    return warm_process.start(["raft_exp", *overrides], folder, environ)


def wait_for_file(running: warm_process.Running, folder: Path, pattern: str) -> None:
    """Waits until `folder` has a file of the pattern. Fails if the command ends before."""
    wait_until(running, lambda: any(folder.glob(pattern)))


def wait_until(running: warm_process.Running, reached: Callable[[], bool], pause: float = 0.001) -> None:
    """Waits for an effect of the command, with a look every `pause` seconds.

    Fails if the command ends before, or after five minutes.
    """
    limit = time.monotonic() + 300
    while not reached():
        assert not running.has_ended(), running.finish()
        assert time.monotonic() < limit
        time.sleep(pause)


def obey_file_modes() -> None:
    """For `preexec_fn`: takes from root the right to write where a file's mode forbids it (CAP_DAC_OVERRIDE)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(24, 1)  # PR_CAPBSET_DROP; without the capability nothing changes


def run_folder(folder: Path) -> Path:
    """Returns the newest run folder under `folder`/runs."""
    return max(folder.glob("runs/*/*/plan.json"), key=lambda plan: plan.stat().st_mtime_ns).parent


def statuses(run: Path) -> dict[str, str]:
    """Returns stage label -> ran | reused | planned | failed."""
    return {row["stage"]: row["status"] for row in json.loads((run / "plan.json").read_text())}


def marked_processes(mark: str) -> list[int]:
    """Returns the ids of the running processes that have `mark` ("NAME=value") in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue  # the process has ended
    return found


def data_files(store: Path) -> dict[str, bytes]:
    """Returns the bytes of all files in a store, without files that contain times."""
    kept = [path for path in store.rglob("*") if path.is_file() and path.suffix != ".lock"]
    kept = [
        path for path in kept if path.name not in ("manifest.json", "timings.json", "timings.csv", "fingerprints.json")
    ]
    return {str(path.relative_to(store)): _untimed(path) for path in kept if path.parent.name != "runs"}


def _untimed(path: Path) -> bytes:
    """Removes the column of seconds from a report."""
    found = path.read_bytes()
    return re.sub(rb'class="number seconds">[^<]*<', b"<", found) if path.name == "report.html" else found
