"""The store: the result of each stage under its key. A folder with a manifest is a complete result.

    store/<stage>/<key>/            the files, and manifest.json
    store/<stage>/<key>.partial/    an unfinished result, of a running stage or a killed run
    store/runs/                     the run folders that use the store (prune keeps the results that they name)

With `store=s3://...` or `gs://...` this folder is `local_store`, and a RemoteStore has the finished results too.

A result is checked against its manifest before another stage or a command uses it (`Store.checked`).
`python -m raft_exp.store` lists results (ls), removes results that no run folder names (prune), checks all results
(verify), and removes damaged results (repair).
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from raft_exp.core.errors import StoreError
from raft_exp.core.files import write_atomically
from raft_exp.core.plan import PlanRow, Status
from raft_exp.core.stage import STAGES, Inputs, Stage
from raft_exp.pipeline.integrity import MANIFEST, sync_folder
from raft_exp.pipeline.manifest import Manifest, check, describe, read_manifest
from raft_exp.pipeline.remote import RemoteStore, is_remote

_ON_DEMAND = ("model", "embed")  # large results, which are downloaded only when a stage or a command reads them


@dataclass(frozen=True)
class Outcome:
    """The outcome of a stage in this run. `seconds`: how long it took to make the result, now or earlier."""

    stage: Stage
    path: Path
    status: Status
    seconds: float
    counts: Mapping[str, float]

    def as_dict(self) -> PlanRow:
        """Returns the stage's row in plan.json."""
        label, key = self.stage.label, self.stage.key
        return {
            "stage": label,
            "key": key,
            "path": str(self.path),
            "status": self.status,
            "seconds": round(self.seconds, 3),
        }


def open_store(store: str, local: str) -> "Store":
    """Returns the store of the settings `store` and `local_store`. Raises ConfigError for an invalid URL."""
    return Store(local, RemoteStore(store)) if is_remote(store) else Store(store)


class Store:
    """The results under one root folder. `remote`: object storage that has the finished results of all machines."""

    def __init__(self, root: str | Path, remote: RemoteStore | None = None) -> None:
        self.root = Path(root).absolute()
        self._remote = remote
        self._remote_is_writable = False

    @property
    def writable(self) -> bool:
        """Whether this user can add results. A read-only store is enough to show a finished study."""
        existing = next(folder for folder in (self.root, *self.root.parents) if folder.exists())
        return os.access(existing, os.W_OK)

    def path(self, stage: Stage) -> Path:
        """Returns the folder of the stage's result, whether this folder exists or not."""
        return self.root / stage.name / stage.key

    def call(self, stage: Stage, out: Path) -> None:
        """Runs the stage's check and function in this process. The function writes its result to `out`.

        Raises StoreError if a file of an input is damaged, and the errors of the check and the function.
        """
        self.run_check(stage)
        stage.function(stage.config, **self._folders(stage.inputs), out=out)

    def run_check(self, stage: Stage) -> None:
        """Runs the check of a stage, if it has one. Raises the error of the check."""
        if stage.check:
            stage.check.function(**self._folders(stage.check.inputs))

    def _folders(self, inputs: Inputs) -> dict[str, Path | dict[str, Path]]:
        return {
            name: self.checked(value)
            if isinstance(value, Stage)
            else {key: self.checked(part) for key, part in value.items()}
            for name, value in inputs.items()
        }

    def checked(self, stage: Stage) -> Path:
        """Checks a result against its manifest, and returns its folder. Raises StoreError for a damaged result."""
        check(self.obtain(stage), stage.label, self.root)
        return self.path(stage)

    def obtain(self, stage: Stage) -> Path:
        """Returns the folder of the stage's result. Downloads a result that only the remote store has.

        The folder does not exist if neither store has the result.
        """
        folder = self.path(stage)
        if self._remote_manifest(stage) is not None:
            with self.guarded(), self._lock(stage):
                if self._remote and not (folder / MANIFEST).exists():  # another job may have it by now
                    self._remote.download(folder, stage.label)
        return folder

    def _remote_manifest(self, stage: Stage) -> Manifest | None:
        """Returns the manifest of a result that only the remote store has; None for any other result."""
        if self._remote is None or stage.name not in STAGES or (self.path(stage) / MANIFEST).exists():
            return None
        return self._remote.manifest(stage.name, stage.key, stage.label)

    def look(self, stage: Stage) -> Outcome:
        """Returns the outcome "reused" if the store has the stage's result, else "planned".

        The folder of a result that only the remote store has does not exist before `obtain`.
        """
        manifest = read_manifest(self.path(stage), stage.label, self.root) or self._remote_manifest(stage)
        if manifest is None:
            return Outcome(stage, self.path(stage), "planned", 0.0, {})
        return Outcome(stage, self.path(stage), "reused", manifest["seconds"], manifest["counts"])

    def ensure(self, stage: Stage, execute: Callable[[Stage, Path], None]) -> Outcome:
        """Returns the stage's result. If the store lacks it, `execute(stage, folder)` makes it in a partial folder.

        The complete folder is then renamed to its final name. If two jobs need the same result, the second waits for
        the first. Raises StoreError if the store cannot be read or written.
        """
        outcome = self.look(stage)
        if outcome.status == "planned":
            self._check_remote(stage)
            with self.guarded(), self._lock(stage):
                outcome = self.look(stage)  # another job may have made the result while this one waited
                outcome = outcome if outcome.status == "reused" else self._make(stage, execute)
        if stage.name not in _ON_DEMAND:
            self.obtain(stage)
        if self._remote and stage.name in STAGES and (outcome.path / MANIFEST).exists():
            self._remote.upload(outcome.path, stage.label)
        return outcome

    def _check_remote(self, stage: Stage) -> None:
        """Raises StoreError if a result cannot be uploaded, before the result is computed."""
        if self._remote and stage.name in STAGES and not self._remote_is_writable:
            self._remote.check_writable()
            self._remote_is_writable = True

    def _make(self, stage: Stage, execute: Callable[[Stage, Path], None]) -> Outcome:
        partial = self.path(stage).with_suffix(".partial")
        if not stage.resumable:
            shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True, exist_ok=True)
        _remove_half_written(partial)
        start = time.monotonic()
        execute(stage, partial)
        seconds = time.monotonic() - start
        manifest = describe(stage, partial, seconds)
        write_atomically(partial / MANIFEST, json.dumps(manifest, indent=1))
        sync_folder(partial)
        partial.rename(self.path(stage))
        sync_folder(self.path(stage).parent)
        return Outcome(stage, self.path(stage), "ran", seconds, manifest["counts"])

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Converts an OSError inside the `with` block into a StoreError.

        An OSError that names a file outside this store is raised unchanged.
        """
        try:
            yield
        except OSError as error:
            if error.filename and self.root not in (Path(error.filename), *Path(error.filename).parents):
                raise  # a file outside the store
            reason = error.strerror or str(error)
            setting = "local_store" if self._remote else "store"
            raise StoreError(
                f"{setting}={self.root}: {reason} ({error.filename or 'while writing'}); "
                f"free disk space or get write permission there, or choose another folder with {setting}=PATH"
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
        with self.guarded():
            (self.root / "runs").mkdir(parents=True, exist_ok=True)
            write_atomically(self._record(run), str(run.absolute()))

    def has_run(self, run: Path) -> bool:
        """Whether the store records this run folder."""
        return self._record(run).exists()

    def forget_run(self, run: Path) -> None:
        """Removes the record of a run folder that was moved."""
        with self.guarded():
            self._record(run).unlink(missing_ok=True)

    def _record(self, run: Path) -> Path:
        name = hashlib.sha256(str(run.absolute()).encode()).hexdigest()[:16]
        return self.root / "runs" / name


def _remove_half_written(partial: Path) -> None:
    """Removes temporary files that a killed run left behind: `*.new` of raft_exp, and `.tmp*` of safetensors.

    Removes its manifest too. A run that was killed before it renamed the folder has left one, and a manifest that
    lists an older manifest makes the result damaged.
    """
    (partial / MANIFEST).unlink(missing_ok=True)
    for pattern in ("*.new", ".tmp*"):
        for leftover in partial.rglob(pattern):
            if leftover.is_file():
                leftover.unlink()
