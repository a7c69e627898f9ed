"""Merges the `audit.json` files of a study's stages into one structure (`raft_exp.core.audit.StudyAudit`)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raft_exp.core.audit import DatasetAudit, GoldAudit, IngestAudit, StudyAudit
from raft_exp.corpora import split_units
from raft_exp.corpora.ingest_stage import REPORT as INGEST_REPORT


def study_audit(
    datasets: Mapping[str, Path],
    test: Path,
    conditions: Mapping[str, Path],
    passages: Path | None = None,
    questions: Path | None = None,
    targets: Path | None = None,
    gold_test: Path | None = None,
    references: Path | None = None,
) -> StudyAudit:
    """Reads the audits of the stages and returns them as one structure.

    An optional part is absent if its folder is None or has no audit.

    - `datasets`: name of a training set -> its folder.
    - `test`: the folder of the test set.
    - `conditions`: name of a condition -> the folder of its test set.
    - `passages`, `questions`, `targets`: the output folders of the stages ingest, questions and targets.
    - `gold_test`: the folder of the test set with gold passages alone.
    - `references`: the output folder of the stage references.
    """
    audit: StudyAudit = {
        "datasets": {name: _dataset_audit(folder) for name, folder in datasets.items()},
        "test": _dataset_audit(test),
        "conditions": {name: _dataset_audit(folder) for name, folder in conditions.items()},
    }
    if gold_test:
        audit["gold_test"] = _dataset_audit(gold_test)
    if passages and (passages / INGEST_REPORT).exists():
        audit["ingest"] = _ingest_audit(passages / INGEST_REPORT)
    if questions and (split := split_units.read(questions)):
        audit["split"] = split
    if questions and (gold := _gold_audit(questions / "counts.json")):
        audit["gold"] = gold
    if questions and (records := _record_counts(questions / "counts.json")):
        audit["records"] = records
    if questions and (questions / "audit.json").exists():
        audit["questions"] = _read_json(questions / "audit.json")
    if targets and (targets / "audit.json").exists():
        audit["targets"] = _read_json(targets / "audit.json")
    if references and (references / "audit.json").exists():
        audit["references"] = _read_json(references / "audit.json")
    return audit


def write_study_audit(path: Path, audit: StudyAudit) -> None:
    """Writes the audit to `path`, the `audit.json` of a run folder."""
    path.write_text(json.dumps(audit, indent=2, ensure_ascii=True) + "\n", encoding="utf-8", newline="\n")


def _dataset_audit(folder: Path) -> DatasetAudit:
    audit: DatasetAudit = _read_json(folder / "audit.json") if (folder / "audit.json").exists() else {}
    return audit


def _gold_audit(path: Path) -> GoldAudit | None:
    """Returns how the gold passages were identified; None if every question names its one gold passage."""
    counts: dict[str, int] = _read_json(path) if path.exists() else {}
    by_answer, several = counts.get("gold_by_answer", 0), counts.get("gold_several", 0)
    closest = counts.get("gold_by_closeness", 0) + counts.get("gold_by_document", 0)
    by_search, in_found_document = counts.get("gold_by_search", 0), counts.get("gold_in_found_document", 0)
    if not by_answer + closest + several + by_search:
        return None
    questions = counts["records"]
    audit: GoldAudit = {
        "questions": questions,
        "by_answer": by_answer,
        "closest": closest,
        "share_closest": round(closest / questions, 6),
        "several": several,
        "share_several": round(several / questions, 6),
        "beyond_closest": counts.get("gold_beyond_closest", 0),
        "of_many": counts.get("gold_of_many", 0),
        "also_answering": counts.get("also_answering", 0),
    }
    if by_search + in_found_document:
        lost = counts.get("without_gold", 0)
        audit |= {"by_search": by_search, "in_found_document": in_found_document, "left_out": lost}
        audit["guessed_by_search"] = counts.get("gold_guessed_by_search", 0)
    return audit


def _record_counts(path: Path) -> dict[str, int]:
    """Returns the counts `api_*` and `odd_*` of a published data set's records and documents, without zeros."""
    counts: dict[str, int] = _read_json(path) if path.exists() else {}
    return {name: count for name, count in counts.items() if name.startswith(("api_", "odd_")) and count}


def _ingest_audit(path: Path) -> IngestAudit:
    report: IngestAudit = _read_json(path)
    audit: IngestAudit = {
        "files": report["files"],
        "read": report["read"],
        "passages": report["passages"],
        "duplicates": report["duplicates"],
        "reasons": report["reasons"],
    }
    if "near_duplicates" in report and "similar" in report:
        audit |= {"near_duplicates": report["near_duplicates"], "similar": report["similar"]}
    return audit


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
