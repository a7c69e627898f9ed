"""The expected seconds of a planned study (`dry_run=true`), from the seconds of finished stages in the store.

The estimate for a stage is taken from the newest comparable result with the same label, apart from conditions; for
train and evaluate, else from the newest comparable result with another label. Comparable are:

- train: the same model and device; the seconds are scaled by the number of examples
- evaluate: the same model and device; scaled by the number of questions
- dataset: the same tokenizer; scaled by the number of rows
- judge, judge_pairs: the same judge; scaled by the number of questions
- citations: the same NLI model; scaled by the number of replies
- kl: the same model and device
- ingest, questions: the same corpus
- index, embed, rerank, targets, export: the same input, and the same encoder, reranker or teacher
- other stages: all results

A result with less than a tenth of the planned items is ignored, because most of its seconds are loading time. Without a
comparable result the seconds are unknown.
"""

from collections.abc import Iterable, Sequence
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
# The counts to which the seconds of a stage are proportional.
_UNITS = {"train": "examples", "evaluate": "answers", "citations": "replies", "dataset": "rows"}
_UNITS |= {"judge": "questions", "judge_pairs": "questions"}
_LABELS = 4  # largest number of labels in a line
_LEAST = 0.1  # least size of a comparable result, as a share of the planned items


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

        Results with the same label come first. Only train and evaluate stages also use results with other labels.
        """
        same, others = list[Manifest](), list[Manifest]()
        for result in self._results.of(stage.name):
            (same if _kind(result["label"]) == _kind(stage.label) else others).append(result)
        for result in [*same, *(others if stage.name in ("train", "evaluate") else [])]:
            if _is_comparable(result, stage) and (measure := self._scaled(result, stage)):
                return measure
        return None

    def items(self, stage: Stage) -> int | None:
        """Returns the number of examples (over all epochs), questions or rows that a stage processes.

        Returns None if the number is unknown.
        """
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

    def missing_questions(self, stages: Iterable[Stage]) -> Stage | None:
        """Returns the stage that makes the questions, if trainings or evaluations among `stages` need their number.

        Returns None if the sizes of all trainings and evaluations are known, or unknown for another reason.
        """
        waiting = [stage for stage in stages if stage.name in ("train", "evaluate") and self.items(stage) is None]
        made = (_input(_input(stage, "dataset" if stage.name == "train" else "test"), "questions") for stage in waiting)
        return next((stage for stage in made if self.sizes.questions(stage) is None), None)

    def advice(self, stages: Sequence[Stage]) -> str:
        """Returns advice for a user: how to get an estimate if the store has no comparable training or evaluation."""
        questions, plan = self.missing_questions(stages), "python -m raft_exp.plan estimates training and evaluation"
        return f"{questions_first(questions)}; then {plan}" if questions else f"{plan} without such results"

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


def questions_first(questions: Stage) -> str:
    """Returns the advice to make the questions before a plan. `questions`: the stage that makes them."""
    cost = (
        "which sends the teacher's requests for them" if hasattr(questions.config, "teacher") else "which costs little"
    )
    return f"run the same settings with until=questions first, {cost}"


def compilation(stages: Sequence[Stage]) -> str:
    """Returns a line about the planned trainings that may compile their layers (trainer.compile=auto); "" for none."""
    trainings = [stage for stage in stages if stage.name == "train" and stage.config.may_compile]
    asked = [
        stage.label
        for stage in trainings
        if stage.config.trainer.accelerator != "cpu"
        and stage.config.trainer.strategy != "fsdp"
        and stage.config.model.quantize is None
    ]
    if not asked:
        return ""
    return f"{few_labels(asked)}: layers are compiled where a training on a GPU takes more than about 10 min without it"


def few_labels(labels: Sequence[str]) -> str:
    """Formats labels of stages: all of up to four, else their number and the first three."""
    if len(labels) <= _LABELS:
        return ", ".join(labels)
    return f"{len(labels)} stages ({', '.join(labels[: _LABELS - 1])}, ...)"


def describe_expected(expected: Sequence[tuple[str, float | None]], advice: str = "") -> str:
    """Formats the total expected time as one line, with the labels of stages whose time is unknown.

    `expected`: label and expected seconds (None: unknown) of each planned stage. `advice`: text about the way to
    further estimates, which is appended if a time is unknown.
    """
    known = [seconds for _, seconds in expected if seconds is not None]
    unknown = list(dict.fromkeys(label for label, seconds in expected if seconds is None))
    if not known:
        line = f"expected: unknown; the store holds no result comparable to {few_labels(unknown)}"
        return f"{line}; {advice}" if advice else line
    line = f"expected: about {duration(sum(known))} for {len(known)} of {len(expected)} stages"
    more = f"; {advice}" if advice else ""
    return f"{line}; unknown: {few_labels(unknown)}{more}" if unknown else line


def duration(seconds: float) -> str:
    """Formats a number of seconds: 48 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
