"""The files of a folder, in a fixed order. Nothing outside it is read: links are never followed."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers.documents.document import Reason, UnreadableError
from raft_exp.corpora.readers.documents.kinds import SUFFIXES, by_suffix

_RUN = ("plan.json", "config.yaml")  # what a run folder of ours holds


@dataclass(frozen=True)
class Found:
    """A file, by its path within the folder ("reports/2024.pdf"); refused before it was opened, or to be read."""

    name: str
    path: Path
    reason: Reason | None = None
    detail: str = ""


def found(path: str | None, most_bytes: int, passed_over: Iterable[Path]) -> list[Found]:
    """Every file, also those that will not be read, sorted by name; but hidden ones, and runs of ours.

    `passed_over` are no documents either: a store, a file of questions. DataError where there is nothing to look at.
    """
    if path is None:
        raise DataError("corpus.path: has no value; set corpus.path=FOLDER (or one file) to your documents")
    root = Path(path).resolve()
    if not root.exists():
        raise DataError(f"corpus.path={path!r}: no such file or folder; name a folder of documents, or one document")
    ours = {one.resolve() for one in passed_over}
    files = _walk(root, ours) if root.is_dir() else [Found(Path(path).name, root)]
    if not files:
        raise DataError(f"corpus.path={path!r}: an empty folder; name one with documents")
    return sorted((_judged(file, root, most_bytes) for file in files), key=lambda file: file.name)


def _walk(root: Path, ours: set[Path]) -> list[Found]:
    files, waiting = [], [root]
    while waiting:
        folder = waiting.pop()
        try:
            entries = [entry for entry in os.scandir(folder) if not entry.name.startswith((".", "~$"))]
        except OSError as error:
            name = folder.relative_to(root).as_posix() + "/"
            files.append(Found(name, folder, "not a readable file", f"a folder: {error.strerror}"))
            continue
        if set(_RUN) <= {entry.name for entry in entries} and folder != root:
            continue
        for entry in entries:
            inner = Path(entry.path)
            if inner in ours:
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(inner)
            else:
                files.append(Found(inner.relative_to(root).as_posix(), inner))
    return [file for file in files if not _again(file.path, root)]


def _again(path: Path, root: Path) -> bool:
    """Whether it is a link to what is read in its own place."""
    return path.is_symlink() and path.exists() and _inside(path, root)


def _inside(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root)


def _judged(file: Found, root: Path, most_bytes: int) -> Found:
    try:
        if file.reason is None:
            _check(file, root, most_bytes)
    except UnreadableError as refused:
        return Found(file.name, file.path, refused.reason, refused.detail)
    return file


def _check(file: Found, root: Path, most_bytes: int) -> None:
    if file.path.is_symlink():
        if file.path.exists() and not _inside(file.path, root):
            raise UnreadableError("outside the folder", "a link that leads out of it; copy the file here to read it")
        raise UnreadableError("not a readable file", "a link to nothing")
    state = file.path.lstat()
    if not stat.S_ISREG(state.st_mode) or not os.access(file.path, os.R_OK):
        raise UnreadableError("not a readable file", "no regular file, or no right to read it")
    if by_suffix(file.name) is None:
        raise UnreadableError("unsupported", f"what is read: {' '.join(SUFFIXES)}")
    if state.st_size > most_bytes:
        raise UnreadableError("too large", f"more than corpus.limits.file_mb={most_bytes >> 20}")
