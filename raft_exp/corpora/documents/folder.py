"""Lists the files of a folder in a fixed order. Links are not followed, so nothing outside the folder is read."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers.documents.document import Reason, UnreadableError
from raft_exp.corpora.readers.documents.kinds import by_suffix, unsupported

_RUN = ("plan.json", "config.yaml")  # files that mark a run folder, which is skipped


@dataclass(frozen=True)
class File:
    """A file and its path within the folder ("reports/2024.pdf"). A file with a `reason` is refused and not opened."""

    name: str
    path: Path
    reason: Reason | None = None
    detail: str = ""


def list_files(path: str | None, max_bytes: int, excluded: Iterable[Path]) -> list[File]:
    """Returns all files of a folder, or one file, sorted by name. Refused files are included, with a reason.

    Hidden files, run folders, links to files inside the folder, and the `excluded` paths (a store, a file of questions)
    are left out. Raises DataError if `path` is None or does not exist, or if there are no files.
    """
    if path is None:
        raise DataError("corpus.path: has no value; set corpus.path=FOLDER (or one file) to your documents")
    root = Path(path).resolve()
    if not root.exists():
        raise DataError(f"corpus.path={path!r}: no such file or folder; give a folder of documents, or one document")
    files = _walk(root, {item.resolve() for item in excluded}) if root.is_dir() else [File(Path(path).name, root)]
    if not files:
        raise DataError(
            f"corpus.path={path!r}: this folder has no files (hidden files and run folders are left out); give a "
            "folder with documents"
        )
    return sorted((_checked(file, root, max_bytes) for file in files), key=lambda file: file.name)


def _walk(root: Path, excluded: set[Path]) -> list[File]:
    files, waiting = [], [root]
    while waiting:
        folder = waiting.pop()
        try:
            entries = [entry for entry in os.scandir(folder) if not entry.name.startswith((".", "~$"))]
        except OSError as error:
            name = folder.relative_to(root).as_posix() + "/"
            files.append(File(name, folder, "not a readable file", f"a folder: {error.strerror}"))
            continue
        if set(_RUN) <= {entry.name for entry in entries} and folder != root:
            continue
        for entry in entries:
            inner = Path(entry.path)
            if inner in excluded:
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(inner)
            else:
                files.append(File(inner.relative_to(root).as_posix(), inner))
    return [file for file in files if not _repeats_file(file.path, root)]


def _repeats_file(path: Path, root: Path) -> bool:
    """Whether the path is a link to a file that the folder also contains."""
    return path.is_symlink() and path.exists() and _inside(path, root)


def _inside(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root)


def _checked(file: File, root: Path, max_bytes: int) -> File:
    try:
        if file.reason is None:
            _check(file, root, max_bytes)
    except UnreadableError as error:
        return File(file.name, file.path, error.reason, error.detail)
    return file


def _check(file: File, root: Path, max_bytes: int) -> None:
    if file.path.is_symlink():
        if file.path.exists() and not _inside(file.path, root):
            raise UnreadableError("outside the folder", "a link to a file elsewhere; copy the file into the folder")
        raise UnreadableError("not a readable file", "a link to a missing file")
    state = file.path.lstat()
    if not stat.S_ISREG(state.st_mode) or not os.access(file.path, os.R_OK):
        raise UnreadableError("not a readable file", "not a regular file, or no permission to read it")
    if by_suffix(file.name) is None:
        raise unsupported(file.name)
    if state.st_size > max_bytes:
        raise UnreadableError("too large", f"more than corpus.limits.file_mb={max_bytes >> 20}")
