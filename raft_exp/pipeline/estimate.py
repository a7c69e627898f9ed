"""The expected seconds of a planned study (`dry_run=true`), from the seconds of finished stages in the store.

The estimate for a stage is taken from the newest comparable result:

- train: the same model and device; seconds are scaled by the number of examples
- evaluate: the same model and device; scaled by the number of questions
- dataset: the same tokenizer; scaled by the number of rows
- other stages: the same input

A result with less than a tenth of the planned items is ignored, because most of its seconds are loading time. Without a
comparable result the seconds are unknown.
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
    "kl": (*_MODEL, "engine.accelerator", "engine.threads"),
    "citations": ("nli.name_or_path", "nli.accelerator"),
    "rerank": ("reranker.name_or_path", "reranker.k_first", "reranker.accelerator", "samples"),
    "targets": ("teacher.name", "teacher.model"),
    "judge": ("judge.name", "judge.model"),
    "judge_pairs": ("judge.name", "judge.model"),
}
_SAME_INPUT = {"index": "passages", "embed": "passages", "rerank": "questions", "targets": "questions"}
_SAME_INPUT |= {"export": "passages"}
# seconds are in proportion to these counts
_UNITS = {"train": "examples", "evaluate": "answers", "citations": "replies", "dataset": "rows"}
_UNITS |= {"judge": "questions", "judge_pairs": "questions"}
_LEAST = 0.1  # of the planned items: the smallest result that measures a speed


@dataclass(frozen=True)
class Measure:
    """The expected seconds of a stage, and the stored result from which they are computed."""

    seconds: float
    label: str
    key: str
    items: int | None  # number of items of the result, by which the seconds were scaled; None: not scaled


class ExpectedSeconds:
    """Estimates the seconds of stages from the results in a store."""

    def __init__(self, store: Path) -> None:
        self._results = StoredResults(store)
        self.sizes = Sizes(self._results)

    def __call__(self, stage: Stage) -> float | None:
        """Returns the expected seconds of a stage; None if the store has no comparable result."""
        measure = self.measure(stage)
        return measure.seconds if measure else None

    def measure(self, stage: Stage) -> Measure | None:
        """Returns the expected seconds of a stage with their source; None if there is no comparable result.

        Results of the same label are preferred. Train and evaluate stages may also use results of other recipes.
        """
        same, others = list[Manifest](), list[Manifest]()
        for result in self._results.of(stage.name):
            (same if _kind(result["label"]) == _kind(stage.label) else others).append(result)
        for result in [*same, *(others if stage.name in ("train", "evaluate") else [])]:
            if _is_comparable(result, stage) and (measure := self._scaled(result, stage)):
                return measure
        return None

    def items(self, stage: Stage) -> int | None:
        """Returns the number of examples, questions or rows that a stage processes; None if it is unknown."""
        config = stage.config
        if stage.name == "train":
            if config.trainer.max_steps > 0:
                return int(config.trainer.max_steps * config.trainer.batch_size)
            examples = self.sizes.examples(_input(stage, "dataset"))
            return examples.number * int(config.trainer.max_epochs) if examples else None
        testing = ("evaluate", "judge", "judge_pairs", "citations", "select", "report")
        tested = _input(stage, "test") if stage.name in testing else stage
        rows = self.sizes.rows(tested) if tested.name == "dataset" else None
        return rows.number if rows else None

    def _scaled(self, result: Manifest, stage: Stage) -> Measure | None:
        """Returns the seconds of `result`, scaled to the items of `stage`; None if the result is too small."""
        measured, planned = self._measured(result), self.items(stage)
        if measured and planned and measured < _LEAST * planned:
            return None
        if stage.name not in _UNITS:
            return Measure(result["seconds"], result["label"], result["key"], None)
        if not measured or not planned:
            return None
        return Measure(result["seconds"] * planned / measured, result["label"], result["key"], measured)

    def _measured(self, result: Manifest) -> int | None:
        """Returns the number of items of a result: its own count, or else the number of rows of its test set."""
        counted = result["counts"].get(_UNITS.get(result["stage"], ""))
        test = result.get("inputs", {}).get("test")
        if counted is None and isinstance(test, str):
            rows = next((dataset for dataset in self._results.of("dataset") if dataset["key"] == test), None)
            counted = rows["counts"].get("rows") if rows else None
        return None if counted is None else int(counted)


def _is_comparable(result: Manifest, stage: Stage) -> bool:
    """Whether a stored result and a planned stage run at the same speed. Their sizes may differ."""
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
    """Returns a label without its condition: a condition takes as long as the study's own test."""
    return label.partition("@")[0].removesuffix("]")


def describe_expected(expected: Sequence[tuple[str, float | None]]) -> str:
    """Formats the total expected time as one line, with the labels of stages whose time is unknown.

    `expected`: label and expected seconds (None: unknown) of each planned stage.
    """
    known = [seconds for _, seconds in expected if seconds is not None]
    unknown = list(dict.fromkeys(label for label, seconds in expected if seconds is None))
    if not known:
        return f"expected: unknown; the store holds no result comparable to {', '.join(unknown)}"
    line = f"expected: about {duration(sum(known))} for {len(known)} of {len(expected)} stages"
    return f"{line}; unknown: {', '.join(unknown)}" if unknown else line


def duration(seconds: float) -> str:
    """Formats a number of seconds: 48 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
