"""The run folder of a study: its place on the disk, and its contents.

A run starts in `runs/unfinished/<study>_<time>`, where dry runs, previews and failed runs stay. A finished run is moved
to `runs/<study>/<time>`. A sweep in which no job finished is moved to `unfinished/` at its end. A folder that the user
names with `hydra.run.dir` or `hydra.sweep.dir` stays where it is.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from raft_exp.core.audit import StudyAudit
from raft_exp.core.errors import StoreError
from raft_exp.corpora import ingest_stage
from raft_exp.evaluation.judge.rows import JUDGEMENTS, PAIRS
from raft_exp.evaluation.judge.stage import SUMMARY
from raft_exp.evaluation.select_stage import CHOICE
from raft_exp.evaluation.transfer_stage import TRANSFER
from raft_exp.exports.stage import ExportStage
from raft_exp.exports.trainers import TOOLS
from raft_exp.exports.trainers.settings import with_model_folder
from raft_exp.models.trained_weights import TrainedWeights
from raft_exp.pipeline.run_begin import UNFINISHED
from raft_exp.pipeline.store import Outcome, Store
from raft_exp.reporting.audit import study_audit, write_study_audit


def move_finished(run: Path, study: str, store: Store) -> Path:
    """Moves the folder of a finished run from `unfinished/` to the folder of its study, and returns the new path.

    Returns the path of any other folder unchanged. Raises StoreError if the folder cannot be moved.
    """
    parent, in_unfinished, time = run.as_posix().rpartition(f"/{UNFINISHED}/{study}_")
    if not in_unfinished:
        return run
    place = Path(parent, study, time)
    move(run, place, [(run, store)])
    return place


def move(folder: Path, place: Path, runs: Sequence[tuple[Path, Store]]) -> None:
    """Moves the folder of a run or of a sweep to `place`, and records the new paths of its runs in their stores.

    `runs`: each run folder in `folder`, with its store. `place` must be at the same depth as `folder`, so that relative
    links into a store stay valid. Raises StoreError if the folder cannot be moved.
    """
    recorded = [(run, store) for run, store in runs if store.writable and store.has_run(run)]
    for run, store in recorded:
        store.remember_run(place / run.relative_to(folder))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(place)
    except OSError as error:
        raise StoreError(
            f"{place}: {error.strerror}; the files are in {folder}; choose another folder with hydra.run.dir=PATH "
            "(hydra.sweep.dir=PATH with -m)"
        ) from error
    for run, store in recorded:
        store.forget_run(run)


def fill(run: Path, outcomes: Sequence[Outcome], overrides: list[str], copy: bool) -> None:
    """Fills the run folder with a study's results.

    Pages and figures are copies. Weights are hard links where the file system allows it, and copies with `copy`. All
    other files are symbolic links into the store, or copies with `copy`. `overrides`: the settings on the command line,
    which are written to results.json.
    """
    put = _copy if copy else _link
    for outcome in outcomes:
        name, label = outcome.stage.name, outcome.stage.label
        if label == "ingest" and (outcome.path / ingest_stage.REPORT).exists():  # not for ingest[transfer@CORPUS]
            shutil.copyfile(outcome.path / ingest_stage.REPORT, run / ingest_stage.REPORT)
        if (outcome.path / "quarantine.jsonl").exists():
            file = f"{name}@{_part(label)}" if _part(label) else name
            put(outcome.path / "quarantine.jsonl", run / "quarantine" / f"{file}.jsonl")
        if name == "dataset":
            put(outcome.path / "rows.jsonl", run / "dataset" / f"{_part(label)}.jsonl")
        if name == "export":
            for exported in sorted((outcome.path / "exports").iterdir()):
                if exported.name in TOOLS:  # a folder of the run, file by file: the tool writes its results there
                    _put_tool(put, exported, outcome.stage.config, run / "exports" / exported.name)
                else:
                    put(exported, run / "exports" / exported.name)
        if name in ("train", "select") and "@" not in label:  # not candidates, not choices of prompts
            weights = TrainedWeights.open(outcome.path).folder
            _copy(weights, run / "adapters" / _part(label), hard_links=not copy)
        if name == "transfer":
            put(outcome.path / TRANSFER, run / "transfer" / _part(label) / TRANSFER)
            for predictions in sorted((outcome.path / "predictions").iterdir()):
                put(predictions, run / "transfer" / _part(label) / predictions.name)
        if name == "judge":
            _put_judge(put, outcome.path, run / "judge" / _part(label))
        if name == "judge_pairs":
            _put_judge(put, outcome.path, run / "judge_pairs" / _part(label).replace("|", ","))
        if name == "select":
            put(outcome.path / CHOICE, run / "selection" / f"{_part(label)}.json")
        if name == "report":
            for predictions in sorted((outcome.path / "predictions").iterdir()):
                put(predictions, run / "predictions" / predictions.name)
            for page in ("audit.json", "timings.json", "report.md", "report.html", "results.csv", "comparisons.csv"):
                shutil.copyfile(outcome.path / page, run / page)
            results = json.loads((outcome.path / "results.json").read_text(encoding="utf-8"))
            results["overrides"] = overrides
            (run / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    folders = {outcome.stage.label: outcome.path for outcome in outcomes}
    if "report" not in folders and "dataset[test]" in folders:  # the study ends before its report
        write_study_audit(run / "audit.json", _audit(folders))


def _audit(folders: Mapping[str, Path]) -> StudyAudit:
    """Returns the audit of a study that ends before its report. `folders`: result folder of each stage by label."""
    datasets = {_part(label): folder for label, folder in folders.items() if label.startswith("dataset[")}
    test, gold_test = datasets.pop("test"), datasets.pop("test_gold", None)
    conditions = {name: datasets.pop(name) for name in list(datasets) if name.startswith("test@")}
    datasets = {
        name: folder
        for name, folder in datasets.items()
        if name not in ("validation", "validation_gold") and not name.startswith(("examples@", "transfer@"))
    }
    return study_audit(
        datasets,
        test,
        {name.removeprefix("test@"): folder for name, folder in conditions.items()},
        passages=folders.get("ingest"),
        questions=folders.get("questions"),
        targets=folders.get("targets"),
        gold_test=gold_test,
        references=folders.get("references"),
    )


def _put_judge(put: Callable[[Path, Path], None], made: Path, place: Path) -> None:
    """Puts the judge's verdicts and its summary of an arm or a pair into the folder `place` of the run."""
    for name in (JUDGEMENTS, PAIRS, SUMMARY):
        if (made / name).exists():
            put(made / name, place / name)


def _put_tool(put: Callable[[Path, Path], None], made: Path, settings: ExportStage, place: Path) -> None:
    """Puts the files for another tool into the folder `place` of the run, and the model's path into YAML files."""
    assert settings.trainers is not None, "there is a folder for a tool"
    for file in sorted(made.iterdir()):
        put(file, place / file.name)
        if file.suffix == ".yaml":
            text = with_model_folder(file.read_text(encoding="utf-8"), settings.trainers.path)
            _make_room(place / file.name)
            (place / file.name).write_text(text, encoding="utf-8", newline="\n")


def _part(label: str) -> str:
    return label.partition("[")[2].removesuffix("]")


def _link(target: Path, place: Path) -> None:
    _make_room(place)
    place.symlink_to(os.path.relpath(target, place.parent))


def _copy(target: Path, place: Path, hard_links: bool = False) -> None:
    """Copies the file or folder `target` to `place`. `hard_links`: links files on the same disk, to save space."""
    _make_room(place)
    put = _hard_link if hard_links else shutil.copyfile
    if target.is_dir():
        shutil.copytree(target, place, copy_function=put)
    else:
        put(target, place)


def _hard_link(target: str | Path, place: str | Path) -> None:
    try:
        os.link(target, place)
    except OSError:  # another disk, a file system without hard links, a read-only store
        shutil.copyfile(target, place)


def _make_room(place: Path) -> None:
    """Makes the parent folder of `place`, and removes an older file or folder at `place`."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
