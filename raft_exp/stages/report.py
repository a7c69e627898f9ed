"""The last stage: grades every arm's replies, compares the arms, and writes the figures and the pages."""

import csv
import json
import math
from pathlib import Path
from typing import Any

from raft_exp.errors import DataError
from raft_exp.records import Answer, Example, read_jsonl, write_jsonl
from raft_exp.schema import Seed, config_dataclass

VERSION = 1


@config_dataclass
class ReportStage:
    """What the report says of the study; the arms' order is the order of its tables."""

    study: str  # the heading
    note: str  # what a reader should know before the figures
    corpus: str
    model: str
    seed: Seed
    arms: dict[str, dict[str, Any]]  # arm -> {recipe, context, ...}
    settings: dict[str, Any]  # shown under "How it was made"


def report(
    config: ReportStage,
    *,
    test: Path,
    conditions: dict[str, Path],
    answers: dict[str, Path],
    datasets: dict[str, Path],
    adapters: dict[str, Path],
    out: Path,
) -> None:
    """Writes results.json, audit.json, predictions/<arm>[@<condition>].jsonl, report.md and report.html into `out`.

    `conditions` are the test sets of the conditions; `answers` holds `<arm>` and `<arm>@<condition>`.
    """
    from raft_exp.report.page import write_pages

    examples = _examples(test / "rows.jsonl")
    results = _score(config, examples, answers, out)
    results["conditions"] = {
        name: _condition(config, name, folder, answers, out) for name, folder in conditions.items()
    }
    audit = {"datasets": {name: _audit(folder) for name, folder in datasets.items()}, "test": _audit(test)}
    audit["conditions"] = {name: _audit(folder) for name, folder in conditions.items()}
    _write_json(out / "results.json", results)
    _write_json(out / "audit.json", audit)
    write_pages(
        out,
        results=results,
        audit=audit,
        losses={name: _losses(folder / "metrics.csv") for name, folder in adapters.items()},
        study=config.study,
        note=config.note,
        arms=config.arms,
        settings=config.settings,
    )


def _examples(path: Path) -> list[Example]:
    examples = list(read_jsonl(path, Example))
    if not examples:
        raise DataError(f"{path}: no test questions; check corpus.test and evaluation.max_items")
    seen: set[str] = set()
    for example in examples:
        if not example.answers:
            raise DataError(f"{path}: question {example.id!r} has no answer to compare with; give one or remove it")
        if example.id in seen:
            raise DataError(f"{path}: question {example.id!r} stands there twice; ids must be unique")
        seen.add(example.id)
    return examples


def _score(config: ReportStage, examples: list[Example], answers: dict[str, Path], out: Path) -> dict[str, Any]:
    from raft_exp import scoring
    from raft_exp.metrics import profile
    from raft_exp.report.verdict import verdict

    scored_as = profile(config.corpus)
    (out / "predictions").mkdir(parents=True, exist_ok=True)
    arms = {}
    for name, settings in config.arms.items():
        replies = read_jsonl(answers[name] / "answers.jsonl", Answer)
        shown = settings.get("context") != "none"
        arms[name] = scoring.score_arm(name, examples, replies, scored_as, shown=shown)
        write_jsonl(out / "predictions" / f"{name}.jsonl", arms[name].rows)
    reference = scoring.reference_arm(config.arms)
    results = {
        "corpus": config.corpus,
        "model": config.model,
        "seed": config.seed,
        "overrides": [],
        "arms": scoring.summaries(arms, scored_as, config.seed),
        "comparisons": scoring.comparisons(reference, arms, scored_as, config.seed),
        "conditions": {},
        "slices": scoring.slices(examples, arms, scored_as, config.seed),
        "baselines": scoring.baselines(examples, scored_as, config.seed),
        "metrics": list(scored_as.metrics),
        "reference": reference,
    }
    return {**results, "verdict": verdict(results)}


def _condition(
    config: ReportStage, condition: str, test: Path, answers: dict[str, Path], out: Path
) -> dict[str, dict[str, Any]]:
    """{arm: {n, metrics}} of the arms that were asked under this condition."""
    from raft_exp import scoring
    from raft_exp.metrics import profile

    examples, scored_as = _examples(test / "rows.jsonl"), profile(config.corpus)
    asked = [name for name in config.arms if f"{name}@{condition}" in answers]
    arms = {}
    for name in asked:
        replies = read_jsonl(answers[f"{name}@{condition}"] / "answers.jsonl", Answer)
        arms[name] = scoring.score_arm(name, examples, replies, scored_as, shown=True)
        write_jsonl(out / "predictions" / f"{name}@{condition}.jsonl", arms[name].rows)
    return scoring.summaries(arms, scored_as, config.seed)


def _audit(folder: Path) -> dict[str, Any]:
    path = folder / "audit.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _losses(path: Path) -> dict[str, list[tuple[int, float]]]:
    """{column: [(step, loss)]} of the loss columns; empty for a ready adapter, which has no metrics.csv."""
    curves: dict[str, list[tuple[int, float]]] = {}
    if not path.exists():
        return curves
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for column in ("loss", "validation_loss"):
                value = float(row.get(column) or "nan")  # validation stands only in some rows
                if math.isfinite(value):
                    curves.setdefault(column, []).append((int(row["step"]), value))
    return curves


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=True) + "\n", encoding="utf-8", newline="\n")
