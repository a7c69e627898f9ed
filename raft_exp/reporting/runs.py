"""Finished runs on disk: their settings, results and graded replies."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import yaml

from raft_exp.core.errors import DataError
from raft_exp.core.records import read_jsonl
from raft_exp.evaluation import long_text
from raft_exp.evaluation.metrics import (
    FOLLOWS,
    METRICS,
    Graded,
    Metric,
    Observation,
    Profile,
    abstention,
    profile,
)
from raft_exp.evaluation.metrics.abstention import Outcome, Pair
from raft_exp.evaluation.results import Prediction, Results, read_predictions
from raft_exp.prompts import ReplyFormat, parse
from raft_exp.reporting.facts import range_text, section
from raft_exp.training.config import PRECISIONS

ABSENT = "\N{EN DASH}"  # the value of a setting that a run of another version does not have
# Settings that decide which results a run has, and what its verdict compares. They change no result.
ASKED = (
    "evaluation.arms",
    "evaluation.conditions",
    "evaluation.primary",
    "evaluation.transfer",
    "evaluation.transfer_items",
    "evaluation.kl",
    "evaluation.token_probabilities",
)
# Settings that do not change results: names, places, and how a run is carried out.
_TECHNICAL = ("study", "note", "store", "until", "dry_run", "preview", "logger", "report", "export", "run", *ASKED)
_TECHNICAL_ENDS = ("workers", "threads")


@dataclass(frozen=True)
class Run:
    """A run folder with its results and its resolved config."""

    folder: Path
    results: Results
    config: Mapping[str, object]

    @property
    def seed(self) -> str:
        """The seed as text, because it is a key in JSON objects."""
        return str(self.results["seed"])

    @property
    def name(self) -> str:
        """The name of the run folder; for a job of a sweep `<sweep folder>/<run folder>`."""
        folder = self.folder.resolve()
        return f"{folder.parent.name}/{folder.name}" if folder.name.isdecimal() else folder.name

    @cached_property
    def slices(self) -> Mapping[str, Mapping[str, frozenset[str]]]:
        """{slice: {value: digests of the test questions}}; {} if the run folder has no dataset/test.jsonl."""
        path, groups = self.folder / "dataset" / "test.jsonl", dict[str, dict[str, set[str]]]()
        if not path.exists():
            return {}
        for row in read_jsonl(path, _TestQuestion):
            labels = {"class": row.answers[0]} if "class" in self.results.get("slices", {}) else {}
            for name, value in {**labels, **row.slices}.items():
                groups.setdefault(name, {}).setdefault(value, set()).add(_digest([row.id, row.question, row.answers]))
        return {name: {value: frozenset(found) for value, found in of.items()} for name, of in groups.items()}

    @cached_property
    def settings(self) -> Mapping[str, object]:
        """The resolved config, in which the values used for training replace `auto`."""
        model, trainer = dict(section(self.config, "model")), dict(section(self.config, "trainer"))
        rate = model.pop("lora_learning_rate", None)
        resolved = {
            "packing": True,  # rows are packed where the model can
            "precision": PRECISIONS.get(str(model.get("dtype"))),
            "learning_rate": rate,
        }
        trainer |= {name: value for name, value in resolved.items() if trainer.get(name) == "auto"}
        return _with_ranges_as_text({**self.config, "model": model, "trainer": trainer})

    @cached_property
    def fields(self) -> list[str]:
        """The dotted names of the settings that change results.

        Without `seed` and its copies in other groups, and without the settings of arms that are not in evaluation.arms.
        """
        arms = section(self.config, "evaluation").get("arms")
        names = arms if isinstance(arms, list) else []
        return [
            name
            for name, value in _flat("", self.settings)
            if not _technical(name)
            and not (name.startswith("arms.") and name.split(".")[1] not in names)
            and not (name.endswith("seed") and value == self.config.get("seed"))
        ]

    def setting(self, name: str) -> object:
        """Returns the value of a setting by dotted name.

        Returns None if the setting is in a group that is null, and ABSENT if the run has no such setting. A trainer or
        adapter setting that an arm does not change has the study's value.
        """
        value = self._value(name)
        arms, arm, group, *_ = [*name.split("."), "", "", ""]
        if value is ABSENT and arms == "arms" and group in ("trainer", "lora") and self._value(f"arms.{arm}") != ABSENT:
            return self._value(name.removeprefix(f"arms.{arm}."))
        return value

    def _value(self, name: str) -> object:
        value: object = self.settings
        for part in name.split("."):
            if value is None:
                return None
            if not isinstance(value, Mapping) or part not in value:
                return ABSENT
            value = value[part]
        return value

    @cached_property
    def conditions(self) -> Mapping[str, object]:
        """{condition: the evaluation settings that it changes}."""
        return section(section(self.config, "evaluation"), "conditions")

    def replies(self, label: str) -> "Replies":
        """Returns the graded replies of `<arm>` or `<arm>@<condition>`. Raises DataError if their file is missing."""
        path = self.folder / "predictions" / f"{label}.jsonl"
        if not path.exists():
            raise DataError(f"{path}: does not exist; write it again with `python -m raft_exp.report {self.folder}`")
        return _replies(path, self.results["metrics"], self._scored_as, self._reply_format)

    @property
    def _scored_as(self) -> Profile:
        compared = self.results.get("wording")
        if compared is None:
            return profile(self.results["corpus"])
        return profile(self.results["corpus"], (), compared["reference"], compared["tokenizer"])

    @property
    def _reply_format(self) -> ReplyFormat:
        return "json" if section(self.config, "prompt").get("reply_format") == "json" else "paper"


@dataclass(frozen=True)
class _TestQuestion:
    """The fields of dataset/test.jsonl that slices are computed from."""

    id: str
    question: str
    answers: list[str]
    slices: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Replies:
    """The scores of an arm's replies. A question is identified by a digest of its id, text and answers."""

    observed: Mapping[str, Mapping[str, Observation]]  # metric -> question -> observation
    questions: frozenset[str]
    digest: str  # of all questions and replies
    references: str  # digest of the long texts that replies are compared with, and of how BLEU splits them


def open_runs(paths: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """Returns the finished runs in the folders, and a line for each unfinished run of a sweep.

    Each path must be the folder of a run or of a sweep. Raises DataError for any other path, for an unfinished run
    outside a sweep, for results or a config that cannot be read, and if no run is finished.
    """
    runs, left_out = [], []
    for path in paths:
        if not path.is_dir():
            raise DataError(f"{path}: no such folder; give a run folder, or the folder of a sweep")
        jobs = [path] if (path / "config.yaml").exists() else _jobs(path)
        if not jobs:
            raise DataError(f"{path}: contains no run (no config.yaml); give a run folder, or the folder of a sweep")
        for job in jobs:
            if (job / "results.json").exists():
                runs.append(_open(job))
            elif job == path:
                raise DataError(f"{path}: the run is unfinished (no results.json); repeat its command to finish it")
            else:
                told = "left out: it is unfinished (no results.json); repeat the command of the sweep to finish it"
                left_out.append(f"{job}: {told}")
    if not runs:
        raise DataError(
            f"{paths[0]}: contains no finished run (no results.json); repeat the command of the sweep to finish the "
            "runs"
        )
    folders = {run.folder.resolve(): run for run in runs}
    return list(folders.values()), left_out


def _jobs(path: Path) -> list[Path]:
    """Returns the run folders inside a sweep's folder, in the order of the sweep."""
    jobs = (folder for folder in path.iterdir() if (folder / "config.yaml").exists())
    return sorted(jobs, key=lambda job: (not job.name.isdecimal(), int(job.name) if job.name.isdecimal() else 0, job))


def _open(folder: Path) -> Run:
    try:
        results: Results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        config: Mapping[str, object] = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        return Run(folder, {**results, "metrics": list(results["metrics"])}, dict(config))
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{folder}: results.json or config.yaml cannot be read ({reason}); repeat the command of the run"
        ) from None


def _with_ranges_as_text(settings: Mapping[str, object]) -> dict[str, object]:
    """Returns the settings with `0 to 8` for {min: 0, max: 8}, so that a range is compared with a number as a whole."""
    return {name: _value_or_range(value) for name, value in settings.items()}


def _value_or_range(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return range_text(value) if set(value) == {"min", "max"} else _with_ranges_as_text(value)


def _flat(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, value


def _technical(name: str) -> bool:
    return name.rpartition(".")[2] in _TECHNICAL_ENDS or any(
        name == technical or name.startswith(f"{technical}.") for technical in _TECHNICAL
    )


def _replies(path: Path, metrics: Sequence[str], scored_as: Profile, reply_format: ReplyFormat) -> Replies:
    observed: dict[str, dict[str, Observation]] = {}
    replies, questions = hashlib.sha256(), []
    references = hashlib.sha256(f"{scored_as.reference} {scored_as.tokenizer}".encode())
    pairs: dict[str, Pair] = {}
    for row in read_predictions(path):
        question = _digest([row["id"], row["question"], row["answers"]])
        questions.append(question)
        replies.update(_digest([question, row["raw"]]).encode())
        references.update(_digest([question, row.get("long_reference")]).encode())
        if "planted" in row and FOLLOWS in row["metrics"]:
            observed.setdefault(FOLLOWS, {})[question] = row["metrics"][FOLLOWS]
        if "outcomes" in row:
            pairs[question] = Pair(*(Outcome(*outcome) for outcome in row["outcomes"]))
        for name in metrics:
            if name in row["metrics"]:
                observed.setdefault(name, {})[question] = row["metrics"][name]
            elif (metric := METRICS.get(name)) and not metric.per_row and metric.observe:
                graded = _graded(row, metric, scored_as, reply_format)
                observed.setdefault(name, {}).update({question: metric.observe(graded)} if graded else {})
    for name, values in abstention.observations(list(pairs.values())).items():
        observed[name] = dict(zip(pairs, values, strict=True))
    return Replies(observed, frozenset(questions), replies.hexdigest(), references.hexdigest())


def _graded(row: Prediction, metric: Metric, scored_as: Profile, reply_format: ReplyFormat) -> Graded | None:
    """Returns a graded reply from its row of predictions; None if the metric leaves the question out."""
    graded = Graded(row["answers"], row["prediction"], row["raw"], scored_as.normalize, tokenizer=scored_as.tokenizer)
    if not metric.of_wording or scored_as.reference == "answers":
        return graded
    if "long_reference" not in row:
        return None
    text = long_text.of_reply(parse(row["raw"], reply_format), scored_as.closed)
    return replace(graded, long_text=text, long_reference=row["long_reference"])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
