"""The output files of a job, which are complete or absent."""

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from raft_exp.core.records import dumps


class PassFiles:
    """The output files of a pass, written under temporary names.

    `finish` renames them to their final names, so that a killed run leaves no incomplete file.
    """

    def __init__(self, folder: Path, *names: str) -> None:
        self._folder, self._names = folder, names
        self._open: dict[str, TextIO] = {}

    def restart(self) -> None:
        """Opens the files for a new pass and discards the rows of an earlier pass."""
        self.close()
        self._open = {name: self._new(name).open("w", encoding="utf-8", newline="\n") for name in self._names}

    def write(self, name: str, row: Mapping[str, object]) -> None:
        """Appends a row to the file `name`."""
        self._open[name].write(dumps(row) + "\n")

    def close(self) -> None:
        """Closes the files."""
        for file in self._open.values():
            file.close()
        self._open = {}

    def finish(self) -> None:
        """Closes the files and renames them to their final names."""
        self.close()
        for name in self._names:
            self._new(name).replace(self._folder / name)

    def _new(self, name: str) -> Path:
        return self._folder / f"{name}.new"
