"""The expected seconds of a planned study (`dry_run=true`), from the seconds of finished stages in the store.

A stage is compared with the newest comparable result: a training with one of the same model on the same device, scaled
by examples; an evaluation likewise, scaled by questions; any other stage with a result of the same label, scaled by
rows where their number is known. Without a comparable result the seconds are unknown.
"""

import contextlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from raft_exp.core.errors import StoreError
from raft_exp.core.stage import Stage
from raft_exp.pipeline.manifest import Manifest, read_manifest

_MODEL = ("model.name_or_path", "model.dtype", "model.quantize")
# The settings that must be equal for speeds to be comparable.
_EQUAL = {
    "train": (*_MODEL, "trainer.accelerator", "trainer.devices", "trainer.precision"),
    "evaluate": (*_MODEL, "engine.name", "engine.accelerator", "context"),
}
_UNITS = {"train": "examples", "evaluate": "answers", "dataset": "rows", "questions": "questions"}


class ExpectedSeconds:
    """Estimates the seconds of stages from the results in a store."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._manifests = cache(self._read)

    def __call__(self, stage: Stage) -> float | None:
        """Returns the expected seconds of a stage; None where the store has no comparable result."""
        manifest = self._comparable(stage)
        if manifest is None:
            return None
        measured, planned = manifest["counts"].get(_UNITS.get(stage.name, "")), self._size(stage)
        return float(manifest["seconds"] * (planned / measured if measured and planned else 1))

    def _comparable(self, stage: Stage) -> Manifest | None:
        config = stage.description["config"]
        equal = _EQUAL.get(stage.name)
        for result in self._manifests(stage.name):
            same = _kind(result["label"]) == _kind(stage.label)
            if equal:
                same = all(_value(result["config"], name) == _value(config, name) for name in equal)
            if same:
                return result
        return None

    def _size(self, stage: Stage) -> int | None:
        """The examples, questions or rows that the stage processes; None where their number is unknown."""
        config = stage.config
        if stage.name == "train":
            if config.trainer.max_steps > 0:
                return int(config.trainer.max_steps * config.trainer.batch_size)
            rows = self._rows(_input(stage, "dataset"))
            return rows and rows * int(config.trainer.max_epochs)
        if stage.name == "evaluate":
            return self._rows(_input(stage, "test"))
        return self._rows(stage) if stage.name == "dataset" else None

    def _rows(self, dataset: Stage) -> int | None:
        """The rows of a dataset: of its own result, or of the newest result of its label, at most `max_items`."""
        manifests, config = self._manifests("dataset"), dataset.description["config"]
        own = next((manifest for manifest in manifests if manifest["key"] == dataset.key), None)
        like = own or next(
            (manifest for manifest in manifests if _kind(manifest["label"]) == _kind(dataset.label)), None
        )
        limit = _value(config, "max_items") or _value(config, "dataset.max_items")
        rows = like["counts"].get("rows") if like else None
        known = [int(number) for number in (rows, None if own else limit) if isinstance(number, int | float) and number]
        return min(known, default=None)

    def _read(self, name: str) -> Sequence[Manifest]:
        """Reads the manifests of a stage, newest first."""
        files = sorted((self._store / name).glob("*/manifest.json"), key=lambda file: -file.stat().st_mtime_ns)
        manifests = []
        for file in files:
            with contextlib.suppress(StoreError):  # a damaged result is no measure; whoever uses it is told
                manifests += [read_manifest(file.parent, name, self._store)]
        return [manifest for manifest in manifests if manifest]


def _input(stage: Stage, name: str) -> Stage:
    upstream = stage.inputs[name]
    assert isinstance(upstream, Stage), name
    return upstream


def _kind(label: str) -> str:
    """The label without a condition: the dataset of a condition takes as long as the study's own."""
    return label.partition("@")[0].removesuffix("]")


def _value(config: object, name: str) -> object:
    for part in name.split("."):
        config = config.get(part) if isinstance(config, Mapping) else None
    return config


def describe_expected(expected: Sequence[tuple[str, float | None]]) -> str:
    """Formats the sum of planned stages, given as (label, seconds), and the labels of unknown seconds, as one line."""
    known = [seconds for _, seconds in expected if seconds is not None]
    unknown = list(dict.fromkeys(label for label, seconds in expected if seconds is None))
    if not known:
        return f"expected: unknown; the store holds no result comparable to {', '.join(unknown)}"
    line = f"expected: about {duration(sum(known))} for {len(known)} of {len(expected)} stages"
    return f"{line}; unknown: {', '.join(unknown)}" if unknown else line


def duration(seconds: float) -> str:
    """Formats seconds for a reader: 48 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
