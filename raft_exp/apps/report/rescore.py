"""The report of a finished run made again from its files: scored with today's metrics, without asking a model."""

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.records import Answer, read_rows, write_jsonl
from raft_exp.pipeline.config import parse, with_new_names
from raft_exp.pipeline.stage_settings import report_settings
from raft_exp.reporting.runs import Run
from raft_exp.reporting.stage import report

_PARTIAL = "report.partial"


def make_again(run: Run, out: Path) -> list[str]:
    """Writes what the report stage writes into `out` (the run folder itself: in place of the old files).

    Inputs are taken from the store while it has them, else from the run folder; returns a line for what was missing.
    """
    partial = out / _PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "made").mkdir(parents=True)
    try:
        files = _Inputs(run, partial / "inputs")
        report(report_settings(_config(run)), **files.all(), out=partial / "made")
        _keep_overrides(run, partial / "made" / "results.json")
        _move(partial / "made", out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return files.missing


def _config(run: Run) -> Any:
    try:
        return parse(with_new_names(dict(run.config)))
    except ConfigError as error:
        raise DataError(
            f"{run.folder}/config.yaml is of another version of raft_exp ({error}); run the study again"
        ) from None


def _keep_overrides(run: Run, path: Path) -> None:
    results = json.loads(path.read_text(encoding="utf-8"))
    results["overrides"] = run.results.get("overrides", [])
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _move(made: Path, out: Path) -> None:
    """In place of links too: a run folder shows predictions that belong to the store, and those stay as they are."""
    for file in sorted(path for path in made.rglob("*") if path.is_file()):
        place = out / file.relative_to(made)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, place)


@dataclass
class _Inputs:
    """The report stage's inputs as folders: the store's own, or made from what the run folder shows of them."""

    run: Run
    made: Path

    def __post_init__(self) -> None:
        plan = self.run.folder / "plan.json"
        rows = json.loads(plan.read_text(encoding="utf-8")) if plan.exists() else []
        self._stages: dict[str, Path] = {row["stage"]: self._place(row) for row in rows}
        self._audit: dict[str, Any] = _read(self.run.folder / "audit.json")
        self.missing: list[str] = []

    def all(self) -> dict[str, Any]:
        """What the stage's function is called with."""
        arms, conditions = self.run.results["arms"], self.run.results["conditions"]
        labels = [*arms, *(f"{arm}@{name}" for name, asked in conditions.items() for arm in asked)]
        found = {
            "test": self._rows("test", self._audit.get("test", {})),
            "conditions": {
                name: self._rows(f"test@{name}", self._audit.get("conditions", {}).get(name, {})) for name in conditions
            },
            "answers": {label: self._answers(label) for label in labels},
            "datasets": {name: self._dataset(name, audit) for name, audit in self._audit.get("datasets", {}).items()},
            "adapters": {name: self._adapter(name) for name in self._audit.get("datasets", {})},
        }
        if told := self._audit.get("targets"):
            found["targets"] = self._folder("targets", lambda folder: _write(folder / "audit.json", told))
        optional = {name: self._optional(stage) for name, stage in _OPTIONAL.items()}
        if gone := [_OPTIONAL[name] for name, folder in optional.items() if folder is None]:
            self.missing.append(f"the store no longer has {' and '.join(gone)}: figures that need them are left out")
        return found | optional

    def _place(self, row: Mapping[str, Any]) -> Path:
        path = Path(row["path"])
        if path.is_dir():
            return path
        shown = self.run.folder / "dataset" / "test.jsonl"  # the store may have moved with the run folder's links
        return Path(shown.resolve().parents[2] / path.parent.name / row["key"])

    def _folder(self, stage: str, make: Callable[[Path], None]) -> Path:
        found = self._stages.get(stage)
        if found is not None and (found / "manifest.json").exists():
            return found
        folder = self.made / stage
        folder.mkdir(parents=True)
        make(folder)
        return folder

    def _rows(self, name: str, audit: Mapping[str, Any]) -> Path:
        def make(folder: Path) -> None:
            rows = self.run.folder / "dataset" / f"{name}.jsonl"
            if not rows.exists():
                raise DataError(f"{rows}: missing, and the store no longer has it; run the study again")
            shutil.copyfile(rows, folder / "rows.jsonl")
            _write(folder / "audit.json", audit)

        return self._folder(f"dataset[{name}]", make)

    def _dataset(self, name: str, audit: Mapping[str, Any]) -> Path:
        return self._folder(f"dataset[{name}]", lambda folder: _write(folder / "audit.json", audit))

    def _adapter(self, name: str) -> Path:
        def make(folder: Path) -> None:
            losses = (self.run.folder / "adapters" / name).resolve().parent / "metrics.csv"
            if losses.exists():
                shutil.copyfile(losses, folder / "metrics.csv")
            else:
                self.missing.append(f"no loss curve of {name}: the store no longer has its training")

        return self._folder(f"train[{name}]", make)

    def _answers(self, label: str) -> Path:
        def make(folder: Path) -> None:
            path = self.run.folder / "predictions" / f"{label}.jsonl"
            if not path.exists():
                raise DataError(f"{path}: missing, and the store no longer has the answers; run the study again")
            write_jsonl(folder / "answers.jsonl", _answers(path, self._known(label)))

        return self._folder(f"evaluate[{label}]", make)

    def _known(self, label: str) -> Mapping[str, Any]:
        arm, _, condition = label.partition("@")
        results = self.run.results
        known: Mapping[str, Any] = (results["conditions"][condition] if condition else results["arms"])[arm]
        return known

    def _optional(self, stage: str) -> Path | None:
        found = self._stages.get(stage)
        return found if found is not None and (found / "manifest.json").exists() else None


_OPTIONAL = {"passages": "ingest", "questions": "questions"}


def _answers(path: Path, known: Mapping[str, Any]) -> Iterator[Answer]:
    """The replies out of predictions, which do not say which questions had none: those are empty."""
    answered = known.get("answered", known["n"])
    unanswered = known["n"] - answered
    tokens = known.get("tokens", {})  # means: the single counts are not kept
    prompts, replies = (_with_mean(tokens.get(part, 0), answered) for part in ("prompt", "reply"))
    for row in read_rows(path):
        if unanswered and not row["raw"] and not row["truncated"]:
            unanswered -= 1
        else:
            yield Answer(row["id"], row["raw"], row["truncated"], next(prompts), next(replies))


def _with_mean(mean: float, count: int) -> Iterator[int]:
    """Whole numbers, without an end; the first `count` have the mean."""
    total = round(mean * count)
    for place in itertools.count():
        yield total // max(1, count) + (place < total % max(1, count))


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value) + "\n", encoding="utf-8")
