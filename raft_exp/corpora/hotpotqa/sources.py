"""Locates the training and test files of HotpotQA: in a folder, a single file or on the hub."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers import hub

_TRAIN = ("hotpot_train_v1.1.json", "distractor/train*.parquet", "distractor/train*.jsonl")
_TEST = ("hotpot_dev_{0}_v1.json", "{0}/validation*.parquet", "{0}/validation*.jsonl")


@dataclass(frozen=True)
class Source:
    """The files of a part (training or test).

    `cited`: the value of the field `source` of the passages; "": the name of the file.
    """

    files: tuple[Path, ...]
    cited: str = ""


@dataclass(frozen=True)
class Sources:
    """The parts that a study reads. If there is only one part, `train` is None and the part is split at random."""

    test: Source
    train: Source | None = None

    def __iter__(self) -> Iterator[Source]:
        """Yields the test part, then the training part."""
        return iter(source for source in (self.test, self.train) if source)


def from_hub(repo: str, revision: str, setting: str) -> Sources:
    """Returns the parts, downloaded from the hub unless they are in its cache.

    `setting`: distractor or fullwiki; it decides the test part. The training part is the same.
    """
    train, test = (
        Source(tuple(hub.fetch(repo, revision, f"{part}-*.parquet")), f"{repo} {part}")
        for part in ("distractor/train", f"{setting}/validation")
    )
    return Sources(test, train)


def from_path(path: Path, setting: str, counts: Counter[str]) -> Sources:
    """Returns the parts in a folder, or a single file. A missing part is counted and logged as a warning.

    Raises DataError if `path` does not exist, or if the folder has no file of HotpotQA.
    """
    if not path.exists():
        raise DataError(f"corpus.path={str(path)!r} does not exist; give a folder or a file of HotpotQA records")
    if path.is_file():
        return Sources(Source((path,)))
    names = {"train": _TRAIN, "test": tuple(name.format(setting) for name in _TEST)}
    parts = {part: Source(files) for part in names if (files := _first(path, names[part]))}
    if not parts:
        looked = ", ".join(name for part in names.values() for name in part)
        raise DataError(
            f"corpus.path={str(path)!r} contains no HotpotQA file (looked for {looked}); give the path of a file"
        )
    for part in names.keys() - parts:
        counts[f"{part}_part_missing"] = 1
        missing = names[part][0]
        logging.getLogger(__name__).warning("%s contains no %s: the other file is split at random", path, missing)
    return Sources(parts["test"], parts["train"]) if len(parts) == 2 else Sources(*parts.values())


def _first(folder: Path, names: tuple[str, ...]) -> tuple[Path, ...]:
    """Returns the sorted files of the first pattern that matches; others may be the same records in another layout."""
    for name in (name + end for name in names for end in ("", ".gz")):
        if files := sorted(path for path in folder.glob(name) if path.is_file()):
            return tuple(files)
    return ()
