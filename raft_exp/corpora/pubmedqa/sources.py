"""Locates the subsets of PubMedQA: in a folder, a single file or on the hub."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers import hub

LABELED = "pqa_labeled"
ONE_FILE = "file"  # stands for the unknown subset of a single file
PUBLISHED = {"pqa_artificial": "ori_pqaa.json", "pqa_labeled": "ori_pqal.json", "pqa_unlabeled": "ori_pqau.json"}


@dataclass(frozen=True)
class Source:
    """A subset of PubMedQA: its name and its files.

    `cited`: the value of the field `source` of the passages; "": the name of the file.
    """

    name: str
    files: tuple[Path, ...]
    cited: str = ""


@dataclass(frozen=True)
class Sources:
    """The subsets that a study reads.

    `labeled`: PQA-L, if the study trains on another subset. The records of PQA-L outside its official test list are
    then validation questions, unless they are test questions.
    """

    test: Source
    train: Source
    labeled: Source | None = None
    folder: Path | None = None  # may hold a ground truth file

    def __iter__(self) -> Iterator[Source]:
        """Yields each subset once, test first. If a PMID is in two subsets, the record of the first subset is used."""
        return iter(dict.fromkeys(source for source in (self.test, self.labeled, self.train) if source))


def from_hub(repo: str, revision: str, train: str, test: str) -> Sources:
    """Returns the subsets, downloaded from the hub unless they are in its cache. PQA-L is always one of them."""
    subsets = {
        name: Source(name, tuple(hub.fetch(repo, revision, f"{name}/*.parquet")), f"{repo} {name}")
        for name in dict.fromkeys((test, LABELED, train))
    }
    return Sources(subsets[test], subsets[train], None if train == LABELED else subsets[LABELED])


def from_path(path: Path, train: str, test: str, counts: Counter[str]) -> Sources:
    """Returns the subsets in a folder, or a single file.

    If a subset is missing, PQA-L replaces it in training, and the training subset in the test; this is counted in
    `counts` and logged as a warning. Raises DataError if `path` does not exist, or if the replacement is missing too.
    """
    if not path.exists():
        raise DataError(f"corpus.path={str(path)!r} does not exist; give a folder or a file of PubMedQA records")
    if path.is_file():
        only = Source(ONE_FILE, (path,))
        return Sources(only, only, folder=path.parent)
    subsets = {name: Source(name, files) for name in PUBLISHED if (files := _subset_files(path, name))}
    used_train = _or_instead(path, subsets, train, LABELED, "train", counts)
    used_test = _or_instead(path, subsets, test, used_train, "test", counts)
    labeled = None if used_train == LABELED else subsets.get(LABELED)
    return Sources(subsets[used_test], subsets[used_train], labeled, path)


def _or_instead(
    path: Path, subsets: dict[str, Source], name: str, instead: str, role: str, counts: Counter[str]
) -> str:
    if name in subsets:
        return name
    if instead not in subsets:
        also = "" if instead == name else f", nor {instead} to replace it"
        raise DataError(
            f"corpus.path={str(path)!r} contains no {name} (looked for {', '.join(_names(name))}){also}; "
            f"correct corpus.path or corpus.{role}, or give the path of a file"
        )
    counts[f"{role}_subset_missing"] = 1
    logging.getLogger(__name__).warning("%s contains no %s: corpus.%s uses %s instead", path, name, role, instead)
    return instead


def _subset_files(folder: Path, subset: str) -> tuple[Path, ...]:
    """Returns the sorted files of the first pattern that matches; others may be the same records in another layout."""
    for name in _names(subset):
        if files := sorted(path for path in folder.glob(name) if path.is_file()):
            return tuple(files)
    return ()


def _names(subset: str) -> list[str]:
    json_files = [PUBLISHED[subset], f"{subset}.jsonl"]
    return [
        *(file + end for file in json_files for end in ("", ".gz")),
        f"{subset}.parquet",
        f"{subset}/*.parquet",
        f"{subset}/*.jsonl",
    ]
