"""Locates the parts of Natural Questions: in a folder, a single file, on the hub or at the authors' addresses."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers import hub, web

Train = Literal["pages", "dpr"]
Test = Literal["10_documents", "20_documents", "30_documents", "oracle", "nq_open", "efficientqa", "pages"]

# File names in a folder, at any depth, each also with .gz. The files of the first pattern that matches are used.
_PAGES = {
    "train": ("*simplified-nq-train*.jsonl", "nq-train-*.jsonl", "train-*-of-*.parquet", "*simplified-nq-*.jsonl"),
    "test": ("*nq-dev-*.jsonl", "validation-*-of-*.parquet"),
}
_ONE = {  # one file is used: the others hold the same questions
    "dpr": ("biencoder-nq-train.json",),
    **{f"{k}_documents": (f"nq-open-{k}_total_documents_gold_at_*.jsonl",) for k in (10, 20, 30)},
    "oracle": ("nq-open-oracle.jsonl",),
    "nq_open": ("NQ-open.dev.jsonl", "NQ-open.test.jsonl"),
    "efficientqa": ("NQ-open.efficientqa.*.jsonl",),
}
_TRAINING: tuple[str, ...] = ("pages", "dpr")
_TESTS: tuple[str, ...] = ("20_documents", "10_documents", "30_documents", "oracle", "pages", "nq_open", "efficientqa")

_LOST = (
    "https://raw.githubusercontent.com/nelson-liu/lost-in-the-middle/29b8a6d042ce29abccee3db1a73171a107d7e6af/qa_data"
)
_OPEN = (
    "https://raw.githubusercontent.com/google-research-datasets/natural-questions/"
    "fb26a3073b1fe636c97302890a27b491d6530130/nq_open"
)
_ADDRESSES = {
    "dpr": "https://dl.fbaipublicfiles.com/dpr/data/retriever/biencoder-nq-train.json.gz",
    **{
        f"{k}_documents": f"{_LOST}/{k}_total_documents/nq-open-{k}_total_documents_gold_at_0.jsonl.gz"
        for k in (10, 20, 30)
    },
    "oracle": f"{_LOST}/nq-open-oracle.jsonl.gz",
    "nq_open": f"{_OPEN}/NQ-open.dev.jsonl",
    "efficientqa": f"{_OPEN}/NQ-open.efficientqa.dev.1.1.jsonl",
}
_SHARDS = {"train": 287, "test": 7}  # 200 MB each, about 1,070 pages


@dataclass(frozen=True)
class Source:
    """The names of a part's files.

    `open`: name -> path. It downloads the file first if needed.
    """

    names: tuple[str, ...]
    open: Callable[[str], Path] = Path
    cited: str = ""  # the `source` of its passages; "" for the name of the file

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


def from_published(repo: str, revision: str, train: str, test: str) -> Sources:
    """Returns parts to download: Google's pages from the hub, other files from the authors' addresses."""
    return Sources(_published(repo, revision, test, "test"), _published(repo, revision, train, "train"))


def _published(repo: str, revision: str, kind: str, part: str) -> Source:
    if kind != "pages":
        return Source((_ADDRESSES[kind],), web.fetch)
    split = "train" if part == "train" else "validation"
    names = (f"default/{split}-{number:05d}-of-{_SHARDS[part]:05d}.parquet" for number in range(_SHARDS[part]))
    return Source(tuple(names), partial(_shard, repo, revision), f"{repo} {split}")


def _shard(repo: str, revision: str, name: str) -> Path:
    (file,) = hub.fetch(repo, revision, name)
    return file


def from_path(path: Path, train: str, test: str, counts: Counter[str]) -> Sources:
    """Returns the parts in a folder, or a single file.

    A missing part, or a file kind used in place of another, is counted and logged as a warning.
    """
    if not path.exists():
        raise DataError(f"corpus.path={str(path)!r} does not exist; give a folder or a file of Natural Questions")
    if path.is_file():
        return Sources(Source((str(path),)), None)
    train_source = _in_folder(path, "train", train, _TRAINING, counts)
    test_source = _in_folder(path, "test", test, _TESTS, counts)
    if test_source:
        return Sources(test_source, train_source)
    if train_source:
        return Sources(train_source, None)
    looked = ", ".join((*_names("pages", "train"), *(name for names in _ONE.values() for name in names)))
    raise DataError(
        f"corpus.path={str(path)!r} contains no file of Natural Questions (looked for {looked}); "
        "give the path of a file"
    )


def _in_folder(folder: Path, part: str, wanted: str, kinds: tuple[str, ...], counts: Counter[str]) -> Source | None:
    """Returns the files of the wanted kind, else of the first other kind in the folder; None if there are none."""
    for kind in dict.fromkeys((wanted, *kinds)):
        if files := _files(folder, kind, part):
            if kind != wanted:
                counts[f"{part}_file_missing"] = 1
                _warn(folder, wanted, part, f"corpus.{part} uses {kind} ({files[0].name}) instead")
            return Source(tuple(map(str, files)))
    counts[f"{part}_file_missing"] = 1
    _warn(folder, wanted, part, "the other part is split at random")
    return None


def _warn(folder: Path, wanted: str, part: str, instead: str) -> None:
    looked = ", ".join(_names(wanted, part))
    logging.getLogger(__name__).warning("%s contains no %s (looked for %s): %s", folder, wanted, looked, instead)


def _files(folder: Path, kind: str, part: str) -> list[Path]:
    for name in (name + end for name in _names(kind, part) for end in ("", ".gz")):
        if files := sorted(path for path in folder.rglob(name) if path.is_file()):
            return files if kind == "pages" else files[:1]
    return []


def _names(kind: str, part: str) -> tuple[str, ...]:
    return _PAGES[part] if kind == "pages" else _ONE[kind]
