"""Shows progress bars on stderr for work of more than a few seconds; shows none if stderr is not a terminal."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from raft_exp.core.screen import Console

T = TypeVar("T")


def track(items: Iterable[T], description: str, total: int | None = None, done: int = 0) -> Iterator[T]:
    """Yields the items and shows their count out of `total`; `done` items were finished by an earlier run."""
    if not sys.stderr.isatty():
        yield from items
        return
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total, completed=done)
        for item in items:
            yield item
            progress.advance(task)
