"""The expected seconds of a planned study (`dry_run=true`), from the seconds of finished stages in the store.

A stage is compared with the newest comparable result. A training is comparable with one of the same model on the same
device, scaled by examples; an evaluation likewise, scaled by questions; a data set with one for the same tokenizer,
scaled by rows; other stages with results of the same input. A result of less than a tenth of the planned items is no
measure: most of its time is spent on loading. Without a comparable result the seconds are unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.stage import Stage
from raft_exp.pipeline.manifest import Manifest
from raft_exp.pipeline.sizes import Sizes, StoredResults, same_corpus, value

_MODEL = ("model.name_or_path", "model.dtype", "model.quantize")
# The settings that must be equal for speeds to be comparable.
_EQUAL = {
    "train": (*_MODEL, "trainer.accelerator", "trainer.devices", "trainer.precision", "trainer.threads"),
    "evaluate": (
        *_MODEL,
        "model.max_new_tokens",
        "engine.name",
        "engine.accelerator",
        "engine.threads",
        "engine.model",
        "context",
    ),
    "dataset": ("window.name_or_path",),
    "embed": ("encoder.name_or_path",),
    "targets": ("teacher.name", "teacher.model"),
}
_SAME_INPUT = {"index": "passages", "embed": "passages", "targets": "questions", "export": "passages"}
_UNITS = {"train": "examples", "evaluate": "answers", "dataset": "rows"}  # seconds are in proportion to these counts
_LEAST = 0.1  # of the planned items: the smallest result that measures a speed


@dataclass(frozen=True)
class Measure:
    """Seconds that a stage is expected to take, and the result that they are from."""

    seconds: float
    label: str
    key: str
    items: int | None  # of the result, in proportion to which the seconds were taken; None: not in proportion


class ExpectedSeconds:
    """Estimates the seconds of stages from the results in a store."""

    def __init__(self, store: Path) -> None:
        self._results = StoredResults(store)
        self.sizes = Sizes(self._results)

    def __call__(self, stage: Stage) -> float | None:
        """Returns the expected seconds of a stage; None where the store has no comparable result."""
        measure = self.measure(stage)
        return measure.seconds if measure else None

    def measure(self, stage: Stage) -> Measure | None:
        """Returns the expected seconds of a stage with their source; None where there is no comparable result.

        Results of the same label are preferred. A training of another recipe is comparable too.
        """
        same, others = list[Manifest](), list[Manifest]()
        for result in self._results.of(stage.name):
            (same if _kind(result["label"]) == _kind(stage.label) else others).append(result)
        for result in [*same, *(others if stage.name in ("train", "evaluate") else [])]:
            if _is_comparable(result, stage) and (measure := self._scaled(result, stage)):
                return measure
        return None

    def items(self, stage: Stage) -> int | None:
        """The examples, questions or rows that a stage processes; None where their number is unknown."""
        config = stage.config
        if stage.name == "train":
            if config.trainer.max_steps > 0:
                return int(config.trainer.max_steps * config.trainer.batch_size)
            examples = self.sizes.examples(_input(stage, "dataset"))
            return examples.number * int(config.trainer.max_epochs) if examples else None
        tested = _input(stage, "test") if stage.name in ("evaluate", "select", "report") else stage
        rows = self.sizes.rows(tested) if tested.name == "dataset" else None
        return rows.number if rows else None

    def _scaled(self, result: Manifest, stage: Stage) -> Measure | None:
        """The seconds of a comparable result for the items of the stage; None where the result is too small."""
        measured, planned = self._measured(result), self.items(stage)
        if measured and planned and measured < _LEAST * planned:
            return None
        if stage.name not in _UNITS:
            return Measure(result["seconds"], result["label"], result["key"], None)
        if not measured or not planned:
            return None
        return Measure(result["seconds"] * planned / measured, result["label"], result["key"], measured)

    def _measured(self, result: Manifest) -> int | None:
        """The items of a result: its own count, or the rows of its test for a report and a choice."""
        counted = result["counts"].get(_UNITS.get(result["stage"], ""))
        test = result.get("inputs", {}).get("test")
        if counted is None and isinstance(test, str):
            rows = next((dataset for dataset in self._results.of("dataset") if dataset["key"] == test), None)
            counted = rows["counts"].get("rows") if rows else None
        return None if counted is None else int(counted)


def _is_comparable(result: Manifest, stage: Stage) -> bool:
    """Whether the speed of a result tells that of the stage, apart from their sizes."""
    if stage.name in ("ingest", "questions"):
        return same_corpus(result, stage)
    planned = stage.description
    if any(value(result["config"], name) != value(planned["config"], name) for name in _EQUAL.get(stage.name, ())):
        return False
    read = _SAME_INPUT.get(stage.name)
    return read is None or result["inputs"].get(read) == planned["inputs"].get(read)


def _input(stage: Stage, name: str) -> Stage:
    upstream = stage.inputs[name]
    assert isinstance(upstream, Stage), name
    return upstream


def _kind(label: str) -> str:
    """The label without a condition: the dataset of a condition takes as long as the study's own."""
    return label.partition("@")[0].removesuffix("]")


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
