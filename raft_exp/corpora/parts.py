"""Finds the files of a published data set, which has a training part and a test part, in a folder or a single file."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from raft_exp.core.errors import DataError

Part = Literal["train", "test"]


@dataclass(frozen=True)
class Source:
    """The names of a part's files.

    `open`: a function from the name of a file to its path; it downloads a missing file first.
    """

    names: tuple[str, ...]
    open: Callable[[str], Path] = Path
    cited: str = ""  # the field `source` of its passages; "": the name of their file

    def files(self) -> Iterator[Path]:
        """Yields the paths of the files in order."""
        return map(self.open, self.names)


@dataclass(frozen=True)
class Sources:
    """The parts that a study reads. If there is only one part, `train` is None and the part is split at random."""

    test: Source
    train: Source | None

    def __iter__(self) -> Iterator[Source]:
        """Yields the test part, then the training part."""
        return iter(source for source in (self.test, self.train) if source)


@dataclass(frozen=True)
class Layout:
    """The file names of a data set.

    A part may have several kinds of files. Each kind has file names in order of preference, at any depth of the folder,
    each also with .gz. The files of the first name that is found are used.
    """

    dataset: str  # its name in errors
    kinds: Mapping[Part, Mapping[str, tuple[str, ...]]]  # part -> kind -> file names; kinds in order of preference
    several: frozenset[str] = frozenset()  # kinds with several files; for all other kinds one file is used
    on_request: frozenset[str] = frozenset()  # kinds that never replace another one

    def from_path(self, path: Path, wanted: Mapping[Part, str], counts: Counter[str]) -> Sources:
        """Returns the parts in a folder, or a single file. If there is only one part, it is `Sources.test`.

        `wanted`: part -> kind of file. A part without files of this kind has files of another kind or is missing; this
        is counted in `counts` and logged as a warning. Raises DataError if `path` does not exist, or if the folder has
        no file of the data set.
        """
        if not path.exists():
            raise DataError(f"corpus.path={str(path)!r} does not exist; give a folder or a file of {self.dataset}")
        if path.is_file():
            return Sources(Source((str(path),)), None)
        train = self._in_folder(path, "train", wanted["train"], counts)
        test = self._in_folder(path, "test", wanted["test"], counts)
        if test:
            return Sources(test, train)
        if train:
            return Sources(train, None)
        looked = dict.fromkeys(name for kinds in self.kinds.values() for names in kinds.values() for name in names)
        raise DataError(
            f"corpus.path={str(path)!r} contains no file of {self.dataset} (looked for {', '.join(looked)}); "
            "give the path of a file"
        )

    def _in_folder(self, folder: Path, part: Part, wanted: str, counts: Counter[str]) -> Source | None:
        """Returns the files of the wanted kind, else of the first other kind in the folder; None if there are none."""
        others = (kind for kind in self.kinds[part] if kind not in self.on_request)
        for kind in dict.fromkeys((wanted, *others)):
            if files := self._files(folder, kind, part):
                if kind != wanted:
                    counts[f"{part}_file_missing"] = 1
                    self._warn(folder, wanted, part, f"corpus.{part} uses {kind} ({files[0].name}) instead")
                return Source(tuple(map(str, files)))
        counts[f"{part}_file_missing"] = 1
        self._warn(folder, wanted, part, "the other part is split at random")
        return None

    def _warn(self, folder: Path, wanted: str, part: Part, instead: str) -> None:
        looked = ", ".join(self.kinds[part][wanted])
        logging.getLogger(__name__).warning("%s contains no %s (looked for %s): %s", folder, wanted, looked, instead)

    def _files(self, folder: Path, kind: str, part: Part) -> list[Path]:
        for name in (name + end for name in self.kinds[part][kind] for end in ("", ".gz")):
            if files := sorted(path for path in folder.rglob(name) if path.is_file()):
                return files if kind in self.several and "*" in name else files[:1]
        return []
