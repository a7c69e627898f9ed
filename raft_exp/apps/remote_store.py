"""The actions of `python -m raft_exp.store` for a store in object storage (`store=s3://...` or `gs://...`)."""

from pathlib import Path

from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from raft_exp.core.errors import ConfigError, StoreError
from raft_exp.core.progress import track
from raft_exp.core.screen import Console
from raft_exp.pipeline.manifest import damaged as damage
from raft_exp.pipeline.remote import RemoteResult, RemoteStore


def run(action: str, url: str, yes: bool) -> None:
    """Runs one action: ls, verify or repair. `yes`: removes results without a question at the terminal.

    Raises ConfigError for prune, which needs the run folders of all machines. Raises StoreError if verify finds damaged
    results.
    """
    remote = RemoteStore(url)
    if action == "prune":
        raise ConfigError(
            f"store: got {url!r}, but prune finds only the run folders of this machine; prune the local folder with "
            "store=PATH, and remove results of the URL with the tool of its provider"
        )
    results = remote.results()
    if action == "ls":
        _list(results)
        return
    damaged = _damaged(remote, results)
    if action == "repair" and damaged:
        _repair(remote, damaged, yes)
    elif damaged:
        raise StoreError(
            f"store={url}: damaged results: {len(damaged)}; remove them with "
            f"`python -m raft_exp.store repair store={url}`"
        )


def agreed(question: str) -> bool:
    """Asks a question at the terminal, and returns whether the answer is y. Raises ConfigError without a terminal."""
    try:
        return input(question).strip().lower() == "y"
    except EOFError:
        raise ConfigError(
            "yes: got False, but there is no terminal at which to confirm the removal; add yes=true to the command"
        ) from None


def _list(results: list[RemoteResult]) -> None:
    table = Table("stage", "key", "size", "seconds", "state")
    for result in results:
        made = result.manifest
        label, seconds = (made["label"], made["seconds"]) if made else (result.stage, 0.0)
        state = "complete" if result.manifest else "damaged" if result.problem else "unfinished upload"
        table.add_row(escape(label), result.key[:12], decimal(result.size), f"{seconds:.1f}", state)
    Console().print(table, f"{len(results)} results, {decimal(sum(result.size for result in results))}")


def _damaged(remote: RemoteStore, results: list[RemoteResult]) -> list[RemoteResult]:
    """Reads the objects of all complete results. Returns the damaged results, and prints a line for each of them."""
    damaged = []
    complete = [result for result in results if result.manifest or result.problem]
    for result in track(complete, "results checked"):
        problem = result.problem
        if result.manifest and (found := remote.damages(result.stage, result.key, result.manifest)):
            problem = str(damage(remote.url, result.manifest["label"], Path(result.stage, result.key), found))
        if problem:
            print(problem)
            damaged.append(result)
    print(f"{len(complete)} results checked, {len(damaged)} damaged")
    return damaged


def _repair(remote: RemoteStore, damaged: list[RemoteResult], yes: bool) -> None:
    if not yes and not agreed(f"remove {len(damaged)} results of {remote.url}? [y/N] "):
        print("nothing was removed")
        return
    for result in damaged:
        remote.remove(result.stage, result.key)
    print(f"removed {len(damaged)} results; run their studies again to make and upload them anew")
