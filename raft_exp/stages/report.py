"""The last stage: grades every arm's replies, compares the arms, and writes the figures and the pages."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raft_exp.errors import DataError
from raft_exp.prompts import ReplyFormat
from raft_exp.records import Answer, Example, read_jsonl, write_jsonl
from raft_exp.schema import Seed, config_dataclass

if TYPE_CHECKING:
    from raft_exp.scoring import ScoredArm
    from raft_exp.supporting import Supporting

VERSION = 3


@config_dataclass
class ReportStage:
    """What the report says of the study; the arms' order is the order of its tables."""

    study: str  # the heading
    note: str  # what a reader should know before the figures
    corpus: str
    model: str
    seed: Seed
    reply_format: ReplyFormat  # the form that replies were asked in
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
    passages: Path | None = None,
    questions: Path | None = None,
) -> None:
    """Writes results.json, audit.json, predictions/<arm>[@<condition>].jsonl, report.md and report.html into `out`.

    `conditions` are the test sets of the conditions; `answers` holds `<arm>` and `<arm>@<condition>`. `passages` and
    `questions` are needed where the corpus names the sentences that support an answer.
    """
    from raft_exp.report.page import write_pages

    graded = _Grader(config, answers, _supporting(config, passages, questions), out)
    results = _score(config, _examples(test / "rows.jsonl"), graded)
    results["conditions"] = {name: _condition(config, name, folder, graded) for name, folder in conditions.items()}
    audit = {"datasets": {name: _audit(folder) for name, folder in datasets.items()}, "test": _audit(test)}
    audit["conditions"] = {name: _audit(folder) for name, folder in conditions.items()}
    tests = {"test": audit["test"], **audit["conditions"]}
    results["retrieval"] = {name: found["retrieval"] for name, found in tests.items() if "retrieval" in found}
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


def _supporting(config: ReportStage, passages: Path | None, questions: Path | None) -> "Supporting | None":
    from raft_exp.metrics import profile
    from raft_exp.supporting import Supporting

    if passages is None or questions is None or not profile(config.corpus).of_quotes:
        return None
    return Supporting(passages, questions)


@dataclass(frozen=True)
class _Grader:
    """Grades the answers of an arm, under a condition or not, and writes its predictions."""

    config: ReportStage
    answers: dict[str, Path]
    supporting: "Supporting | None"
    out: Path

    def __call__(self, arm: str, label: str, examples: list[Example]) -> "ScoredArm":
        from raft_exp import scoring
        from raft_exp.metrics import profile

        settings = self.config.arms[arm]
        scored = scoring.score_arm(
            label,
            examples,
            read_jsonl(self.answers[label] / "answers.jsonl", Answer),
            profile(self.config.corpus),
            shown=settings.get("context") != "none",
            reply_format=self.config.reply_format,
            supporting=self.supporting if settings.get("cot") else None,
        )
        (self.out / "predictions").mkdir(parents=True, exist_ok=True)
        write_jsonl(self.out / "predictions" / f"{label}.jsonl", scored.rows)
        return scored


def _score(config: ReportStage, examples: list[Example], graded: _Grader) -> dict[str, Any]:
    from raft_exp import scoring
    from raft_exp.metrics import profile
    from raft_exp.report.verdict import verdict

    scored_as = profile(config.corpus)
    arms = {name: graded(name, name, examples) for name in config.arms}
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
        "metrics": [name for name in scored_as.metrics if any(name in arm.observed for arm in arms.values())],
        "reference": reference,
    }
    return {**results, "verdict": verdict(results)}


def _condition(config: ReportStage, condition: str, test: Path, graded: _Grader) -> dict[str, dict[str, Any]]:
    """{arm: {n, metrics}} of the arms that were asked under this condition."""
    from raft_exp import scoring
    from raft_exp.metrics import profile

    examples, scored_as = _examples(test / "rows.jsonl"), profile(config.corpus)
    asked = [name for name in config.arms if f"{name}@{condition}" in graded.answers]
    arms = {name: graded(name, f"{name}@{condition}", examples) for name in asked}
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
