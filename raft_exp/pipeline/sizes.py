"""Numbers of questions, rows and training examples of planned stages, from stored results or from the settings."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from raft_exp.core.audit import SplitAudit
from raft_exp.core.errors import StoreError
from raft_exp.core.stage import Stage
from raft_exp.pipeline.manifest import Manifest, read_manifest

_OF_CORPUS = ("passages", "corpus")  # fields with the settings of a corpus, in the stages ingest and questions


@dataclass(frozen=True)
class Size:
    """A number of items. `counted`: True if counted in a stored result, False if it is a limit from the settings."""

    number: int
    counted: bool


class StoredResults:
    """The manifests of the complete results in a store, read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.of = cache(self._read)

    def _read(self, name: str) -> Sequence[Manifest]:
        """Returns the manifests of the results of the stage `name`, newest first."""
        files = sorted((self.root / name).glob("*/manifest.json"), key=lambda file: -file.stat().st_mtime_ns)
        manifests = []
        for file in files:
            with contextlib.suppress(StoreError):  # a damaged result is left out; using it raises the error
                manifests += [read_manifest(file.parent, name, self.root)]
        return [manifest for manifest in manifests if manifest]

    def own(self, stage: Stage) -> Manifest | None:
        """Returns the manifest of the stage's own result; None if the store has no such result."""
        return next((manifest for manifest in self.of(stage.name) if manifest["key"] == stage.key), None)

    def folder(self, manifest: Manifest) -> Path:
        """Returns the folder of a result."""
        return self.root / manifest["stage"] / manifest["key"]


class Sizes:
    """Computes the sizes of planned stages: from results in the store, else from limits in the settings."""

    def __init__(self, results: StoredResults) -> None:
        self._results = results

    def questions(self, stage: Stage) -> Mapping[str, float] | None:
        """Returns the counts of a `questions` stage, with the numbers of train, validation and test questions.

        The counts are read from a stored result with the same corpus and files. Returns None without such a result.
        """
        for result in self._results.of(stage.name):
            if result["key"] == stage.key or same_corpus(result, stage):
                return result["counts"]
        return None

    def rows(self, dataset: Stage) -> Size | None:
        """Returns the number of rows of a data set, including validation rows; None if unknown."""
        own = self._results.own(dataset)
        if own and "rows" in own["counts"]:
            return Size(int(own["counts"]["rows"]), True)
        split = value(dataset.description["config"], "split")
        if split is not None:
            return self._limited(dataset, str(split))
        training, validation = self._limited(dataset, "train"), self._split(dataset, "validation")
        return training and Size(training.number + (validation or 0), training.counted)

    def examples(self, dataset: Stage) -> Size | None:
        """Returns the number of training rows of a data set, without validation rows; None if unknown."""
        if audit := self.audit(dataset, "train"):
            return Size(audit["rows"], True)
        return self._limited(dataset, "train") or self.rows(dataset)

    def validation(self, dataset: Stage) -> int | None:
        """Returns the number of validation rows of a data set; None if unknown."""
        audit = self.audit(dataset, "validation")
        return audit["rows"] if audit else self._split(dataset, "validation")

    def audit(self, dataset: Stage, split: str) -> SplitAudit | None:
        """Returns the figures of one split from the audit.json of a data set; None if the store does not have it."""
        if self._results.own(dataset) is None:
            return None
        file = self._results.root / dataset.name / dataset.key / "audit.json"
        with contextlib.suppress(OSError, ValueError):
            splits: Mapping[str, SplitAudit] = json.loads(file.read_text(encoding="utf-8"))["splits"]
            return splits.get(split)
        return None

    def _limited(self, dataset: Stage, split: str) -> Size | None:
        counted = self._split(dataset, split)
        numbers = [*_limits(dataset, split), *([] if counted is None else [counted])]
        return Size(min(numbers), counted is not None) if numbers else None

    def _split(self, dataset: Stage, split: str) -> int | None:
        questions = dataset.inputs.get("questions")
        counts = self.questions(questions) if isinstance(questions, Stage) else None
        return int(counts.get(split, 0)) if counts and "train" in counts else None


def _limits(dataset: Stage, split: str) -> list[int]:
    """Returns the values of all settings that limit the number of rows of a split; [] without a limit."""
    config, questions = dataset.description["config"], dataset.inputs.get("questions")
    limits = [value(config, "max_items"), value(config, "dataset.max_items")]
    if split == "train" and isinstance(questions, Stage):
        limits.append(value(questions.description["config"], "corpus.max_items"))
    return [limit for limit in limits if isinstance(limit, int)]


def same_corpus(result: Manifest, stage: Stage) -> bool:
    """Whether a stored result of `ingest` or `questions` has the same corpus settings and files as the planned stage.

    The seeds may differ, because a seed does not change sizes.
    """
    config = stage.description["config"]
    same = all(_unseeded(value(result["config"], name)) == _unseeded(value(config, name)) for name in _OF_CORPUS)
    return same and result.get("files", {}) == stage.description["files"]


def _unseeded(settings: object) -> object:
    if not isinstance(settings, Mapping):
        return settings
    return {name: part for name, part in settings.items() if not str(name).endswith("seed")}


def value(config: object, name: str) -> object:
    """Returns the value of a dotted name (`dataset.p`) in a stage's settings; None if it is not set."""
    for part in name.split("."):
        config = config.get(part) if isinstance(config, Mapping) else None
    return config
