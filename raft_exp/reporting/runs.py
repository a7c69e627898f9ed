"""Finished runs as they lie on disk: their settings, their figures, their replies. Nothing here asks a model."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from raft_exp.core.errors import DataError
from raft_exp.core.records import read_rows
from raft_exp.evaluation.metrics import METRICS, Graded, profile

ABSENT = "\N{EN DASH}"  # a setting that a run of another version does not have
ASKED = ("evaluation.arms", "evaluation.conditions")  # which results there are, not what they are
# What names a run or changes how it is made, never what comes out.
_TECHNICAL = ("study", "note", "store", "until", "dry_run", "preview", "logger", "report", "export", *ASKED)
_TECHNICAL_ENDS = ("workers", "threads")


@dataclass(frozen=True)
class Run:
    """A run folder. Settings are flat: dotted name -> value."""

    folder: Path
    results: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def seed(self) -> str:
        """The seed as JSON objects name it."""
        return str(self.results["seed"])

    @cached_property
    def fields(self) -> list[str]:
        """The settings that decide the results, by dotted name; without the seed, and what is the seed itself."""
        asked = self.config.get("evaluation", {}).get("arms", [])
        return [
            name
            for name, value in _flat("", self.config)
            if not _technical(name)
            and not (name.startswith("arms.") and name.split(".")[1] not in asked)
            and not (name.endswith("seed") and value == self.config.get("seed"))
        ]

    def setting(self, name: str) -> Any:
        """The value of a setting; None inside what is not set; ABSENT where this run knows no such setting."""
        value: Any = self.config
        for part in name.split("."):
            if value is None:
                return None
            if not isinstance(value, Mapping) or part not in value:
                return ABSENT
            value = value[part]
        return value

    @cached_property
    def conditions(self) -> dict[str, dict[str, Any]]:
        """What each condition changes."""
        return dict(self.config.get("evaluation", {}).get("conditions") or {})

    def replies(self, label: str) -> "Replies":
        """The scored replies of `<arm>` or `<arm>@<condition>`, as the run's own report left them."""
        path = self.folder / "predictions" / f"{label}.jsonl"
        if not path.exists():
            raise DataError(
                f"{path}: missing; make the report of the run again: python -m raft_exp.report {self.folder}"
            )
        return _replies(path, list(self.results["metrics"]), str(self.results["corpus"]))


@dataclass(frozen=True)
class Replies:
    """What each metric saw of each question; a question is known by its id, text and answers."""

    observed: Mapping[str, Mapping[str, Any]]  # metric -> question -> observation
    questions: frozenset[str]
    digest: str  # of the replies themselves


def open_runs(paths: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """The finished runs in these folders (run folders, or folders of a sweep), and a line for each that is not."""
    runs, left_out = [], []
    for path in paths:
        if not path.is_dir():
            raise DataError(f"{path}: no such folder; give a run folder, or the folder of a sweep")
        jobs = [path] if (path / "config.yaml").exists() else _jobs(path)
        if not jobs:
            raise DataError(f"{path}: neither a run folder (config.yaml) nor a sweep's folder with runs in it")
        for job in jobs:
            if (job / "results.json").exists():
                runs.append(_open(job))
            elif job == path:
                raise DataError(f"{path}: no results.json; run it to the end (the same command goes on)")
            else:
                left_out.append(f"{job}: no results.json, left out; run it to the end")
    if not runs:
        raise DataError(f"{paths[0]}: none of its runs has results.json; run them to the end")
    folders = {run.folder.resolve(): run for run in runs}
    return list(folders.values()), left_out


def _jobs(path: Path) -> list[Path]:
    """The run folders inside, in the order of the sweep."""
    found = (folder for folder in path.iterdir() if (folder / "config.yaml").exists())
    return sorted(found, key=lambda job: (not job.name.isdecimal(), int(job.name) if job.name.isdecimal() else 0, job))


def _open(folder: Path) -> Run:
    try:
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        return Run(folder, {**results, "metrics": list(results["metrics"])}, dict(config))
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())
        raise DataError(f"{folder}: results.json or config.yaml cannot be read ({told}); run it again") from None


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, value


def _technical(name: str) -> bool:
    return name.rpartition(".")[2] in _TECHNICAL_ENDS or any(
        name == one or name.startswith(f"{one}.") for one in _TECHNICAL
    )


def _replies(path: Path, metrics: Sequence[str], corpus: str) -> Replies:
    normalize = profile(corpus).normalize
    observed: dict[str, dict[str, Any]] = {}
    said, questions = hashlib.sha256(), []
    for row in read_rows(path):
        question = _digest([row["id"], row["question"], row["answers"]])
        questions.append(question)
        said.update(_digest([question, row["raw"]]).encode())
        for name in metrics:
            if name in row["metrics"]:
                observed.setdefault(name, {})[question] = row["metrics"][name]
            elif name in METRICS and not METRICS[name].per_row and (observe := METRICS[name].observe):
                graded = Graded(row["answers"], row["prediction"], row["raw"], normalize)
                observed.setdefault(name, {})[question] = observe(graded)
    return Replies(observed, frozenset(questions), said.hexdigest())


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
