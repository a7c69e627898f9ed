"""`python -m raft_exp.store ls|prune`: lists the results in a store, and removes unused ones."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import Field
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.core.errors import ConfigError, suggest
from raft_exp.core.schema import config_dataclass
from raft_exp.pipeline.store import Manifest

# Folders without results: the paid ledger, which is never pruned, the list of runs, and the texts of read documents.
_NO_RESULTS = {"ledger", "runs", "extracted"}


@config_dataclass
class StoreSettings:
    """The settings of `store`."""

    store: str = Field(default="store", title="PATH", description="the store")
    yes: bool = Field(default=False, description="prune without asking")


_ACTIONS = {
    "ls": "lists the results in the store",
    "prune": "removes the results that no run folder names; the paid ledger is never touched",
}
_COMMAND = Command(
    form="python -m raft_exp.store ls|prune [store=PATH] [yes=true]",
    about="Lists the results in the store, or removes the unused ones.",
    words={"ls|prune": "the action, one of these:", **{f"  {name}": text for name, text in _ACTIONS.items()}},
    settings=StoreSettings,
)


@dataclass(frozen=True)
class StoreEntry:
    """One result, complete or partial."""

    path: Path
    label: str
    size: int  # bytes
    seconds: float
    state: str  # used (named by a run) | unused | partial (a run can resume it) | left over


def entries(root: Path) -> list[StoreEntry]:
    """Returns all results in the store, by stage, oldest first."""
    used = _used(root)
    folders = sorted((root.glob("*/*")), key=lambda path: (path.parent.name, path.stat().st_mtime))
    return [_entry(path, used) for path in folders if path.is_dir() and path.parent.name not in _NO_RESULTS]


def _used(root: Path) -> set[str]:
    keys: set[str] = set()
    for file in (root / "runs").glob("*"):
        plan = Path(file.read_text(encoding="utf-8")) / "plan.json"
        if plan.exists():
            keys |= {row["key"] for row in json.loads(plan.read_text(encoding="utf-8"))}
    return keys


def _entry(path: Path, used: set[str]) -> StoreEntry:
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    manifest = path / "manifest.json"
    if not manifest.exists():
        state = "partial" if path.name.removesuffix(".partial") in used else "left over"
        return StoreEntry(path, path.parent.name, size, 0.0, state)
    values: Manifest = json.loads(manifest.read_text(encoding="utf-8"))
    return StoreEntry(path, values["label"], size, values["seconds"], "used" if path.name in used else "unused")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line of the store."""
    with one_line_errors():
        (action,), chosen = _COMMAND.read(arguments)
        if action not in _ACTIONS:
            raise ConfigError(f"ls|prune: got {action!r}; {suggest(action, _ACTIONS)}")
        if not Path(chosen.store).is_dir():
            raise ConfigError(
                f"store: got {chosen.store!r}, and there is no such folder; name the store with store=PATH"
            )
        results = entries(Path(chosen.store))
        if action == "prune":
            _prune([entry for entry in results if entry.state in ("unused", "left over")], chosen.yes)
        else:
            _list(results)


def _list(results: list[StoreEntry]) -> None:
    table = Table("stage", "key", "size", "seconds", "state")
    for entry in results:
        table.add_row(
            escape(entry.label), entry.path.name[:12], decimal(entry.size), f"{entry.seconds:.1f}", entry.state
        )
    Console().print(table, f"{len(results)} results, {decimal(sum(entry.size for entry in results))}")


def _prune(unused: list[StoreEntry], yes: bool) -> None:
    console = Console()
    total = decimal(sum(entry.size for entry in unused))
    if not unused:
        console.print("nothing to prune: every result is named by a run folder")
        return
    if not yes and console.input(f"remove {len(unused)} results ({total})? [y/N] ").strip().lower() != "y":
        console.print("kept everything")
        return
    removed = sum(_remove(entry) for entry in unused)
    console.print(f"removed {removed} results of {len(unused)} ({total}); the paid ledger is never touched")


def _remove(entry: StoreEntry) -> bool:
    """Removes a result. Returns False if a job holds its lock."""
    lock = FileLock(entry.path.with_suffix(".lock"))
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(entry.path)
    except Timeout:
        return False
    return True
