"""Content hashes of local input files and folders. They are part of the keys of the stages that read them."""

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from raft_exp.core.files import write_atomically
from raft_exp.core.progress import track
from raft_exp.pipeline.store import Store

_State = list[int | str]  # [size, time] or [number, hash of sizes and times]; then the content hash


class Fingerprints:
    """Content hashes of files and folders, cached in the store by path, size and modification time.

    `save`: whether new hashes are written to the cache.
    """

    def __init__(self, store: Store, save: bool = True) -> None:
        self._file, self._save = store.root / "fingerprints.json", save
        try:
            self._known: dict[str, _State] = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}  # only a cache: the hashes are computed again

    def __call__(self, paths: list[Path]) -> dict[str, str]:
        """Returns the SHA-256 of each path's content by its name. Equal names get parent folders in front.

        The content of a folder is the names and contents of all files in it and below.
        """
        known = dict(self._known)
        hashes = {
            name: self._of_folder(path) if path.is_dir() else self._of_file(path)
            for name, path in zip(_names(paths), paths, strict=True)
        }
        if self._save and known != self._known:
            with contextlib.suppress(OSError):  # the first stage reports a store that cannot be written
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self._file, json.dumps(self._known))
        return hashes

    def _of_file(self, file: Path) -> str:
        state = file.stat()
        return self._remembered(file, [state.st_size, state.st_mtime_ns], lambda: _sha256(file))

    def _of_folder(self, folder: Path) -> str:
        """Hashes a folder. It has one entry in the cache, because it may have a million files."""
        files = sorted(_files_below(folder))
        listing = hashlib.sha256()
        for name, state in files:
            listing.update(_line(name, f"{state.st_size} {state.st_mtime_ns}"))
        names = [name for name, _ in files]
        return self._remembered(folder, [len(files), listing.hexdigest()], lambda: _of_contents(folder, names))

    def _remembered(self, path: Path, state: _State, compute: Callable[[], str]) -> str:
        known = self._known.get(str(path.absolute()))
        if known and known[:2] == state:
            return str(known[2])
        digest = compute()
        self._known[str(path.absolute())] = [*state, digest]
        return digest


def _of_contents(folder: Path, names: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for name in track(names, f"reading {folder.name}/", total=len(names)):
        digest.update(_line(name, _sha256(folder / name)))
    return digest.hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _line(name: str, value: str) -> bytes:
    return f"{name}\0{value}\n".encode(errors="surrogateescape")


def _files_below(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yields (path below `folder`, state) of each file. Links are followed; a link to nothing is left out."""
    for place, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = os.path.join(place, name)
            if os.path.exists(path):
                yield os.path.relpath(path, folder), os.stat(path)


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
