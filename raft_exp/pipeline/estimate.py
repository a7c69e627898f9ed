"""What a planned study will take, from what the store has measured: seconds of `dry_run=true`.

A stage is compared with the newest finished one of its kind: a training with one of the same model on the same device,
by examples; answers likewise, by questions; everything else with a result of the same label, by rows where a number of
rows is known. Nothing alike in the store: unknown.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from raft_exp.core.stage import Stage

# What must be equal for the speed to be comparable.
_ALIKE = {
    "train": ("model.name_or_path", "model.dtype", "trainer.accelerator", "trainer.devices", "trainer.precision"),
    "evaluate": ("model.name_or_path", "model.dtype", "engine.name", "engine.accelerator", "context"),
}
_COUNTED = {"train": "examples", "evaluate": "answers", "dataset": "rows", "questions": "questions"}


class ExpectedSeconds:
    """Seconds that stages will take, by the results in a store."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._results = cache(self._read)

    def __call__(self, stage: Stage) -> float | None:
        """Seconds to make the stage's result; None where nothing like it was made."""
        like = self._like(stage)
        if like is None:
            return None
        done, wanted = like["counts"].get(_COUNTED.get(stage.name, "")), self._size(stage)
        scaled = like["seconds"] * wanted / done if done and wanted else like["seconds"]
        return float(scaled)

    def _like(self, stage: Stage) -> Any:
        config = stage.description["config"]
        alike = _ALIKE.get(stage.name)
        for result in self._results(stage.name):
            same = _kind(result["label"]) == _kind(stage.label)
            if alike:
                same = all(_value(result["config"], name) == _value(config, name) for name in alike)
            if same:
                return result
        return None

    def _size(self, stage: Stage) -> int | None:
        """How many examples, questions or rows it will see, as far as that is known."""
        config = stage.config
        if stage.name == "train":
            if config.trainer.max_steps > 0:
                return int(config.trainer.max_steps * config.trainer.batch_size)
            rows = self._rows(stage.inputs["dataset"])
            return rows and rows * int(config.trainer.max_epochs)
        if stage.name == "evaluate":
            return self._rows(stage.inputs["test"])
        return self._rows(stage) if stage.name == "dataset" else None

    def _rows(self, dataset: Any) -> int | None:
        """Of the data set itself, or of the newest of its label with what limits this one."""
        results = self._results("dataset")
        made = next((one for one in results if one["key"] == dataset.key), None)
        like = made or next((one for one in results if _kind(one["label"]) == _kind(dataset.label)), None)
        most = _value(dataset.description["config"], "max_items") or _value(
            dataset.description["config"], "dataset.max_items"
        )
        rows = like["counts"].get("rows") if like else None
        return rows if made else min((number for number in (rows, most) if number), default=None)

    def _read(self, name: str) -> Sequence[Any]:
        """The manifests of a stage, newest first."""
        files = sorted((self._store / name).glob("*/manifest.json"), key=lambda file: -file.stat().st_mtime_ns)
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def _kind(label: str) -> str:
    """A data set under a condition takes as long as the study's own."""
    return label.partition("@")[0].removesuffix("]")


def _value(config: Any, name: str) -> Any:
    for part in name.split("."):
        config = config.get(part) if isinstance(config, Mapping) else None
    return config


def describe_expected(expected: Sequence[tuple[str, float | None]]) -> str:
    """One line on stages that are planned, (label, seconds): the sum, and what cannot be known."""
    known = [seconds for _, seconds in expected if seconds is not None]
    unknown = list(dict.fromkeys(label for label, seconds in expected if seconds is None))
    if not known:
        return f"expected: unknown; the store has measured nothing like {', '.join(unknown)}"
    line = f"expected: about {duration(sum(known))} for {len(known)} of {len(expected)} stages"
    return f"{line}; unknown: {', '.join(unknown)}" if unknown else line


def duration(seconds: float) -> str:
    """For a reader: 48 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
