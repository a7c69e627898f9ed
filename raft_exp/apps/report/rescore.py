"""Makes the report of a finished run again, from the run's files and with this version's metrics. Loads no model."""

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

from raft_exp.apps.shown_command import shown_command
from raft_exp.core.audit import DatasetAudit, ReplyAudit, StudyAudit
from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.plan import PlanRow
from raft_exp.core.records import Answer, write_jsonl
from raft_exp.evaluation.citations.stage import CITATIONS
from raft_exp.evaluation.kl_stage import KL
from raft_exp.evaluation.references_stage import write_references
from raft_exp.evaluation.results import ArmResult, Choice, Divergence, Results, TransferResult, read_predictions
from raft_exp.evaluation.select_stage import CHOICE
from raft_exp.evaluation.transfer_stage import TRANSFER
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.integrity import MANIFEST
from raft_exp.pipeline.manifest import check, git_commit, has_local_changes
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.renamed import with_new_names
from raft_exp.pipeline.stage_settings import report_settings
from raft_exp.pipeline.trainings import trainings
from raft_exp.reporting import provenance
from raft_exp.reporting.runs import Run
from raft_exp.reporting.stage import report

_PARTIAL = "report.partial"


def make_again(run: Run, out: Path) -> list[str]:
    """Writes the report of a run to `out`, which may be the run folder.

    Inputs are read from the store. Inputs that the store no longer has are read from the run folder. Returns a line for
    each missing input without which the report has fewer figures (passages, questions, labels, loss curves). Raises
    DataError if any other input is missing, and for a run of another version of raft_exp.
    """
    partial = out / _PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "report").mkdir(parents=True)
    try:
        config = _config(run)
        inputs = _Inputs(run, partial / "inputs", {training.label: training.stage for training in trainings(config)})
        settings = report_settings(config)
        if settings.labels and not Path(settings.labels).exists():
            inputs.missing.append(f"{settings.labels} is missing: no label corrects the figures of the judge")
            settings = replace(settings, labels=None)
        report(settings, **inputs.all(), out=partial / "report")
        _copy_overrides(run, partial / "report" / "results.json")
        _stamp(run, partial / "report")
        _move(partial / "report", out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return inputs.missing


def _config(run: Run) -> Config:
    try:
        return parse(with_new_names(dict(run.config)))
    except ConfigError as error:
        raise DataError(
            f"{run.folder}/config.yaml is of another version of raft_exp ({error}); run the study again"
        ) from None


def _copy_overrides(run: Run, path: Path) -> None:
    results: Results = json.loads(path.read_text(encoding="utf-8"))
    results["overrides"] = run.results.get("overrides", [])
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _stamp(run: Run, folder: Path) -> None:
    """Writes date, version, commit and command of the run at the top of its pages."""
    command = shown_command("python -m raft_exp", run.results.get("overrides", []))
    again = provenance.provenance(command, git_commit(), has_local_changes())
    provenance.stamp([folder / name for name in provenance.PAGES], provenance.read(run.folder), again)


def _move(folder: Path, out: Path) -> None:
    """Moves the files of `folder` into `out`. Links are replaced, so that the store's files do not change."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        place = out / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, place)


class _ReportInputs(TypedDict):
    """The keyword arguments of the report stage."""

    test: Path
    conditions: dict[str, Path]
    answers: dict[str, Path]
    datasets: dict[str, Path]
    adapters: dict[str, Path]
    passages: Path | None
    questions: Path | None
    targets: Path | None
    choices: dict[str, Path]
    transfer: dict[str, Path]
    kl: dict[str, Path]
    gold_test: Path | None
    references: Path | None
    citations: dict[str, Path]
    judgements: dict[str, Path]
    judged_pairs: dict[str, Path]


@dataclass
class _Inputs:
    """The input folders of the report stage. Folders that the store lacks are made in `made`, from the run folder."""

    run: Run
    made: Path
    trainings: dict[str, str]  # label of a training -> the stage that holds its weights

    def __post_init__(self) -> None:
        plan = self.run.folder / "plan.json"
        rows: list[PlanRow] = json.loads(plan.read_text(encoding="utf-8")) if plan.exists() else []
        self._stages: dict[str, Path] = {row["stage"]: self._place(row) for row in rows}
        path = self.run.folder / "audit.json"
        no_audit: StudyAudit = {"datasets": {}, "test": {}}
        self._audit: StudyAudit = json.loads(path.read_text(encoding="utf-8")) if path.exists() else no_audit
        self.missing: list[str] = []

    def all(self) -> _ReportInputs:
        """Returns the arguments of the report stage's function."""
        arms, conditions = self.run.results["arms"], self.run.results["conditions"]
        labels = [*arms, *(f"{arm}@{name}" for name, row in conditions.items() for arm in row)]
        datasets = self._audit.get("datasets", {})
        audits, choices = self._audit.get("conditions", {}), self.run.results.get("selection", {})
        inputs: _ReportInputs = {
            "test": self._rows("test", self._audit.get("test", {})),
            "gold_test": self._gold_test(),
            "conditions": {name: self._rows(f"test@{name}", audits.get(name, {})) for name in conditions},
            "answers": {label: self._answers(label) for label in labels},
            "datasets": {name: self._dataset(name, audit) for name, audit in datasets.items()},
            "adapters": {name: self._adapter(name, stage) for name, stage in self.trainings.items()},
            "passages": self._optional("ingest"),
            "questions": self._optional("questions"),
            "targets": self._targets(),
            "references": self._references(),
            "choices": {name: self._measured("choices", name, CHOICE, choice) for name, choice in choices.items()},
            "transfer": {
                name: self._measured("transfer", name, TRANSFER, result)
                for name, result in self.run.results.get("transfer", {}).items()
            },
            "kl": {
                name: self._measured("kl", name, KL, figures)
                for name, figures in self.run.results.get("kl", {}).items()
            },
            "judgements": {name: self._judge("judge", name) for name in self._judged("judge")},
            "judged_pairs": {
                name.replace(",", "|"): self._judge("judge_pairs", name) for name in self._judged("judge_pairs")
            },
            "citations": {name: self._citations(name) for name in arms if "nli" in arms[name].get("citations", {})},
        }
        needed = {"ingest": inputs["passages"], "questions": inputs["questions"]}
        if gone := [stage for stage, folder in needed.items() if folder is None]:
            self.missing.append(f"the store no longer has {' and '.join(gone)}: figures that need them are left out")
        return inputs

    def _gold_test(self) -> Path | None:
        audit = self._audit.get("gold_test")
        return None if audit is None else self._rows("test_gold", audit)

    def _targets(self) -> Path | None:
        audit: ReplyAudit | None = self._audit.get("targets")
        return self._folder("targets", lambda folder: _write(folder / "audit.json", audit)) if audit else None

    def _references(self) -> Path | None:
        """Returns the folder of the long references, else one made from the predictions; None if the study has none."""

        def make(folder: Path) -> None:
            texts: dict[str, str] = {}
            for arm in self.run.results["arms"]:
                rows = read_predictions(self.run.folder / "predictions" / f"{arm}.jsonl")
                texts |= {row["id"]: row["long_reference"] for row in rows if "long_reference" in row}
            write_references(folder, texts)
            if audit := self._audit.get("references"):
                _write(folder / "audit.json", audit)

        compared = self.run.results.get("wording")
        return self._folder("references", make) if compared and compared["reference"] != "answers" else None

    def _place(self, row: PlanRow) -> Path:
        path = Path(row["path"])
        if path.is_dir():
            return path
        shown = self.run.folder / "dataset" / "test.jsonl"  # follows the run folder's links into a store that was moved
        return Path(shown.resolve().parents[2] / path.parent.name / row["key"])

    def _folder(self, stage: str, make: Callable[[Path], None]) -> Path:
        if (stored := self._optional(stage)) is not None:
            return stored
        folder = self.made / stage
        folder.mkdir(parents=True)
        make(folder)
        return folder

    def _rows(self, name: str, audit: DatasetAudit) -> Path:
        def make(folder: Path) -> None:
            rows = self.run.folder / "dataset" / f"{name}.jsonl"
            if not rows.exists():
                raise DataError(f"{rows}: missing, and the store no longer has it; run the study again")
            shutil.copyfile(rows, folder / "rows.jsonl")
            _write(folder / "audit.json", audit)

        return self._folder(f"dataset[{name}]", make)

    def _dataset(self, name: str, audit: DatasetAudit) -> Path:
        return self._folder(f"dataset[{name}]", lambda folder: _write(folder / "audit.json", audit))

    def _measured(self, kind: str, name: str, file: str, value: Choice | TransferResult | Divergence) -> Path:
        """Returns a folder with a result of the run, as its stage wrote it. It is not computed again."""
        folder = self.made / kind / name
        folder.mkdir(parents=True)
        _write(folder / file, value)
        return folder

    def _adapter(self, name: str, stage: str) -> Path:
        def make(folder: Path) -> None:
            losses = (self.run.folder / "adapters" / name).resolve().parent / "metrics.csv"
            if losses.exists():
                shutil.copyfile(losses, folder / "metrics.csv")
            else:
                self.missing.append(f"no loss curve of {name}: the store no longer has its training")

        return self._folder(stage, make)

    def _answers(self, label: str) -> Path:
        def make(folder: Path) -> None:
            path = self.run.folder / "predictions" / f"{label}.jsonl"
            if not path.exists():
                raise DataError(f"{path}: missing, and the store no longer has the answers; run the study again")
            write_jsonl(folder / "answers.jsonl", _answers(path, self._result(label)))

        return self._folder(f"evaluate[{label}]", make)

    def _judged(self, kind: str) -> list[str]:
        """Returns the arms, or the pairs of arms, whose judgements are in the run folder."""
        return sorted(folder.name for folder in (self.run.folder / kind).glob("*"))

    def _judge(self, kind: str, name: str) -> Path:
        def make(folder: Path) -> None:
            for file in (self.run.folder / kind / name).iterdir():
                if not file.exists():
                    raise DataError(f"{file}: links to a result that the store no longer has; run the study again")
                shutil.copyfile(file, folder / file.name)

        return self._folder(f"{kind}[{name.replace(',', '|')}]", make)

    def _citations(self, arm: str) -> Path:
        def make(folder: Path) -> None:
            rows = read_predictions(self.run.folder / "predictions" / f"{arm}.jsonl")
            claims = ({"id": row["id"], "claims": row["claims"]} for row in rows if "claims" in row)
            write_jsonl(folder / CITATIONS, claims)
            _write(folder / "counts.json", {"cut": self._result(arm)["citations"]["nli"]["cut"]})

        return self._folder(f"citations[{arm}]", make)

    def _result(self, label: str) -> ArmResult:
        arm, _, condition = label.partition("@")
        results = self.run.results
        return (results["conditions"][condition] if condition else results["arms"])[arm]

    def _optional(self, stage: str) -> Path | None:
        """Returns the folder of the stage's result in the store; None if the store does not have it."""
        folder = self._stages.get(stage)
        if folder is None or not (folder / MANIFEST).exists():
            return None
        check(folder, stage, folder.parents[1])
        return folder


def _answers(path: Path, result: ArmResult) -> Iterator[Answer]:
    """Yields the answers in a predictions file. Questions without an answer, whose reply is empty, are left out."""
    answered = result.get("answered", result["n"])
    unanswered = result["n"] - answered
    tokens = result.get("tokens", {})  # means, because a predictions file has no counts of single replies
    prompts, replies = _with_mean(tokens.get("prompt", 0), answered), _with_mean(tokens.get("reply", 0), answered)
    for row in read_predictions(path):
        if unanswered and not row["raw"] and not row["truncated"]:
            unanswered -= 1
        else:
            known = row.get("log_probability")
            yield Answer(row["id"], row["raw"], row["truncated"], next(prompts), next(replies), log_probability=known)


def _with_mean(mean: float, count: int) -> Iterator[int]:
    """Yields integers without end. The sum of the first `count` integers is `mean` times `count`, rounded."""
    total = round(mean * count)
    for place in itertools.count():
        yield total // max(1, count) + (place < total % max(1, count))


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value) + "\n", encoding="utf-8")
