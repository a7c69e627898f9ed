"""Locates the files of APIBench: in a folder, in the authors' repository, or on the hub."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers import hub, web

Hub = Literal["huggingface", "torchhub", "tensorflow"]

_DOCUMENTATION = {
    hub: f"{hub}hub_api.jsonl" if hub == "tensorflow" else f"{hub}_api.jsonl"
    for hub in ("huggingface", "torchhub", "tensorflow")
}
_ADDRESS = "https://raw.githubusercontent.com/ShishirPatil/gorilla/{revision}/data/{folder}/{name}"


@dataclass(frozen=True)
class Sources:
    """The files of a hub. If it has only one file of questions, `train` is None, and `test` is split at random."""

    hub: Hub
    documentation: Path
    test: Path
    train: Path | None

    @property
    def files(self) -> list[Path]:
        """The files in the order in which they are read."""
        return [path for path in (self.documentation, self.test, self.train) if path]


def from_published(hubs: Iterable[Hub], repo: str | None, revision: str) -> list[Sources]:
    """Returns the files of each hub, downloaded unless they are in the cache.

    `repo`: a data set on the Hugging Face hub; None: the authors' repository.
    """
    fetch = partial(_from_hub, repo, revision) if repo else partial(_from_authors, revision)
    return [_sources(name, fetch) for name in hubs]


def _sources(name: Hub, fetch: Callable[[str, str], Path]) -> Sources:
    test, train = (fetch("apibench", f"{name}_{part}.json") for part in ("eval", "train"))
    return Sources(name, fetch("api", _DOCUMENTATION[name]), test, train)


def _from_authors(revision: str, folder: str, name: str) -> Path:
    return web.fetch(_ADDRESS.format(revision=revision, folder=folder, name=name))


def _from_hub(repo: str, revision: str, folder: str, name: str) -> Path:
    """Fetches a file of the data set on the hub, which has all files in one folder."""
    del folder
    (file,) = hub.fetch(repo, revision, name)
    return file


def from_path(path: Path, hubs: Iterable[Hub], counts: Counter[str]) -> list[Sources]:
    """Returns the files of each hub in a folder, at any depth. A missing file of questions is counted and logged.

    Raises DataError if `path` is no folder, or if a hub lacks its documentation or both files of questions.
    """
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise DataError(
            f"corpus.path={str(path)!r} {what}; give a folder with the files of APIBench: "
            f"{', '.join(_DOCUMENTATION.values())}, *_eval.json and *_train.json"
        )
    return [_in_folder(path, name, counts) for name in hubs]


def _in_folder(folder: Path, name: Hub, counts: Counter[str]) -> Sources:
    documentation, test, train = _DOCUMENTATION[name], f"{name}_eval.json", f"{name}_train.json"
    found = {file: _file(folder, file) for file in (documentation, test, train)}
    part = found[test] or found[train]
    if (described := found[documentation]) is None or part is None:
        lacking = [file for file in (documentation, test) if found[file] is None]
        raise DataError(
            f"corpus.path={str(folder)!r} contains no {' and no '.join(lacking)} (also not with .gz); add them, or "
            "choose another hub: corpus.hub=huggingface, torchhub or tensorflow"
        )
    for file in (test, train):
        if found[file] is None:
            counts[f"{name}_{'test' if file == test else 'train'}_file_missing"] = 1
            logging.getLogger(__name__).warning("%s contains no %s: the other file is split at random", folder, file)
    return Sources(name, described, part, found[train] if found[test] else None)


def _file(folder: Path, name: str) -> Path | None:
    """Returns the first file with this name in a folder, at any depth, gzipped or not; None if there is none."""
    for ending in ("", ".gz"):
        if files := sorted(path for path in folder.rglob(name + ending) if path.is_file()):
            return files[0]
    return None
