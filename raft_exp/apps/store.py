"""`python -m raft_exp.store ls|prune|verify|repair`: lists, removes and checks the results in a store."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import Field
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from raft_exp.apps import remote_store
from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.core.errors import ConfigError, StoreError, suggest
from raft_exp.core.progress import track
from raft_exp.core.schema import config_dataclass
from raft_exp.core.screen import Console
from raft_exp.pipeline.manifest import check, read_manifest
from raft_exp.pipeline.remote import is_remote

# Folders without results: the paid ledger, which is never pruned, the list of runs, and the texts of read documents.
_NO_RESULTS = {"ledger", "runs", "extracted"}


@config_dataclass
class StoreSettings:
    """The settings of the command `store`."""

    store: str = Field(default="store", title="PATH", description="the folder of the store, or its URL (s3://, gs://)")
    yes: bool = Field(default=False, description="whether prune and repair remove results without asking")


_ACTIONS = {
    "ls": "lists the results in the store",
    "prune": "removes the results that no run folder uses; never the ledger of paid requests",
    "verify": "reads every file of every result and compares it with its manifest",
    "repair": "removes the damaged results; run their studies again to make them anew",
}
_COMMAND = Command(
    form="python -m raft_exp.store ls|prune|verify|repair [store=PATH] [yes=true]",
    about="Lists the results in the store, removes the unused ones, or finds the damaged ones.",
    words={"|".join(_ACTIONS): "the action, one of these:", **{f"  {name}": text for name, text in _ACTIONS.items()}},
    settings=StoreSettings,
)


@dataclass(frozen=True)
class StoreEntry:
    """One result, complete or partial."""

    path: Path
    label: str
    size: int  # bytes
    seconds: float
    # used: a run uses it; unused: no run does; partial: incomplete, and a run can resume it; left over: incomplete, and
    # of no run; damaged: the manifest cannot be read
    state: str


def entries(root: Path) -> list[StoreEntry]:
    """Returns all results in the store `root`, sorted by stage, then by age, oldest first.

    Raises StoreError for a run whose plan.json cannot be read.
    """
    used = _used(root)
    folders = sorted((root.glob("*/*")), key=lambda path: (path.parent.name, path.stat().st_mtime))
    return [_entry(path, used) for path in folders if path.is_dir() and path.parent.name not in _NO_RESULTS]


def _used(root: Path) -> set[str]:
    """Returns the keys of the results that runs use. Raises StoreError for a run whose plan.json cannot be read."""
    keys: set[str] = set()
    for file in (root / "runs").glob("*"):
        plan = Path(file.read_text(encoding="utf-8")) / "plan.json"
        try:
            keys |= {row["key"] for row in json.loads(plan.read_text(encoding="utf-8"))}
        except (FileNotFoundError, NotADirectoryError):
            continue  # the run folder was removed
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{plan}: cannot be read ({error}), so the results of this run are unknown; make this file readable, "
                f"or remove {file} if the run is not needed"
            ) from error
    return keys


def _entry(path: Path, used: set[str]) -> StoreEntry:
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    try:
        manifest = read_manifest(path, path.parent.name, path.parents[1])
    except StoreError:
        return StoreEntry(path, path.parent.name, size, 0.0, "damaged")
    if manifest is None:
        state = "partial" if path.name.removesuffix(".partial") in used else "left over"
        return StoreEntry(path, path.parent.name, size, 0.0, state)
    return StoreEntry(path, manifest["label"], size, manifest["seconds"], "used" if path.name in used else "unused")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. `arguments`: default sys.argv[1:]."""
    with one_line_errors():
        (action,), chosen = _COMMAND.read(arguments)
        if action not in _ACTIONS:
            raise ConfigError(f"{'|'.join(_ACTIONS)}: got {action!r}; {suggest(action, _ACTIONS)}")
        if is_remote(chosen.store):
            remote_store.run(action, chosen.store, chosen.yes)
            return
        if not Path(chosen.store).is_dir():
            raise ConfigError(
                f"store: got {chosen.store!r}, but there is no such folder; name the store with store=PATH"
            )
        results = entries(Path(chosen.store))
        if action == "prune":
            _prune([entry for entry in results if entry.state in ("unused", "left over")], chosen.yes)
        elif action == "ls":
            _list(results)
        else:
            damaged = _damaged(results)
            _repair(damaged, chosen.yes) if action == "repair" else _refuse(damaged, chosen.store)


def _list(results: list[StoreEntry]) -> None:
    table = Table("stage", "key", "size", "seconds", "state")
    for entry in results:
        table.add_row(
            escape(entry.label), entry.path.name[:12], decimal(entry.size), f"{entry.seconds:.1f}", entry.state
        )
    Console().print(table, f"{len(results)} results, {decimal(sum(entry.size for entry in results))}")


def _prune(unused: list[StoreEntry], yes: bool) -> None:
    if not unused:
        print("nothing to prune: the store has no unused results")
        return
    _remove_all(unused, yes, "the ledger of paid requests was not touched")


def _damaged(results: list[StoreEntry]) -> list[StoreEntry]:
    """Checks the files of all complete results. Returns the damaged results, and prints a line for each of them."""
    damaged = []
    complete = [entry for entry in results if entry.state not in ("partial", "left over")]
    for entry in track(complete, "results checked"):
        try:
            check(entry.path, entry.label, entry.path.parents[1])
        except StoreError as error:
            print(error)
            damaged.append(entry)
    print(f"{len(complete)} results checked, {len(damaged)} damaged")
    return damaged


def _refuse(damaged: list[StoreEntry], store: str) -> None:
    if damaged:
        raise StoreError(
            f"store={store}: damaged results: {len(damaged)}; remove them with "
            f"`python -m raft_exp.store repair store={store}`"
        )


def _repair(damaged: list[StoreEntry], yes: bool) -> None:
    if damaged:
        _remove_all(damaged, yes, "run their studies again to make them anew")


def _remove_all(results: list[StoreEntry], yes: bool, note: str) -> None:
    total = decimal(sum(entry.size for entry in results))
    if not yes and not remote_store.agreed(f"remove {len(results)} results ({total})? [y/N] "):
        print("nothing was removed")
        return
    removed = [entry for entry in results if _remove(entry)]
    freed = decimal(sum(entry.size for entry in removed))
    print(f"removed {len(removed)} results of {len(results)} ({freed}); {note}")


def _remove(entry: StoreEntry) -> bool:
    """Removes a result. Returns False, and keeps the result, if a job holds its lock.

    Raises StoreError for a result that cannot be deleted.
    """
    lock = FileLock(entry.path.with_suffix(".lock"))
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(entry.path)
    except Timeout:
        return False
    except OSError as error:
        raise StoreError(f"{error.filename or entry.path}: {error.strerror}; get write permission there") from error
    return True
