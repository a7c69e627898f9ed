"""The last stage: grades every arm's replies, compares the arms, and writes the figures and the pages."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer, Example, read_jsonl, write_jsonl
from raft_exp.core.schema import Seed, config_dataclass
from raft_exp.core.stage import stage
from raft_exp.corpora import ingest_stage as ingest
from raft_exp.models.encoder import EncoderConfig
from raft_exp.prompts import ReplyFormat

if TYPE_CHECKING:
    from raft_exp.evaluation.metrics import Profile, Vectors
    from raft_exp.evaluation.scoring import ScoredArm, TrainingFacts
    from raft_exp.evaluation.supporting_facts import SupportingFacts

VERSION = 4


@config_dataclass
class ReportStage:
    """What the report says of the study; the arms' order is the order of its tables."""

    study: str  # the heading
    note: str  # what a reader should know before the figures
    corpus: str
    model: str
    seed: Seed
    metrics: list[str]  # beside the corpus's own
    encoder: EncoderConfig | None  # for metrics that ask it
    reply_format: ReplyFormat  # the form that replies were asked in
    refusal: str  # the words of a refusal in this study
    conditions: dict[str, dict[str, Any]]  # what each changes in the evaluation
    arms: dict[str, dict[str, Any]]  # arm -> {recipe, context, ...}
    settings: dict[str, Any]  # shown under "How it was made"


@stage("report", VERSION)
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
    targets: Path | None = None,
) -> None:
    """Writes results.json, timings.json, audit.json, predictions/<arm>[@<condition>].jsonl, the pages, CSV files.

    `conditions` are the test sets of the conditions; `answers` holds `<arm>` and `<arm>@<condition>`. `passages` and
    `questions` are needed where the corpus names the sentences that support an answer, and for what training has seen;
    `targets` tell how many replies of a teacher that is a model could not be used.
    """
    from raft_exp.reporting.page import write_pages

    examples = _examples(test / "rows.jsonl")
    known = _known(examples, questions, passages, datasets)
    graded = _Grader(config, answers, _supporting(config, passages, questions), _vectors(config), out)
    results = _score(config, examples, known, graded)
    results["conditions"] = {
        name: _condition(config, name, folder, known, graded) for name, folder in conditions.items()
    }
    results["condition_settings"] = config.conditions
    audit = {"datasets": {name: _audit(folder) for name, folder in datasets.items()}, "test": _audit(test)}
    audit["conditions"] = {name: _audit(folder) for name, folder in conditions.items()}
    if passages and (passages / ingest.REPORT).exists():
        told = json.loads((passages / ingest.REPORT).read_text(encoding="utf-8"))
        audit["ingest"] = {name: told[name] for name in ("files", "read", "passages", "duplicates", "reasons")}
    asked = {"questions": questions, "targets": targets}
    audit |= {name: _audit(folder) for name, folder in asked.items() if folder and (folder / "audit.json").exists()}
    tests = {"test": audit["test"], **audit["conditions"]}
    results["retrieval"] = {name: found["retrieval"] for name, found in tests.items() if "retrieval" in found}
    _write_json(out / "results.json", results)
    _write_json(out / "timings.json", _timings(answers))
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
        test=test / "rows.jsonl",
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


def _profile(config: ReportStage) -> "Profile":
    from raft_exp.evaluation.metrics import profile

    return profile(config.corpus, config.metrics)


def _supporting(config: ReportStage, passages: Path | None, questions: Path | None) -> "SupportingFacts | None":
    from raft_exp.evaluation.supporting_facts import SupportingFacts

    if passages is None or questions is None or not _profile(config).of_quotes:
        return None
    return SupportingFacts(passages, questions)


def _vectors(config: ReportStage) -> "Vectors | None":
    from raft_exp.models.similarity import TextVectors

    return TextVectors(config.encoder) if config.encoder else None


def _known(
    examples: list[Example], questions: Path | None, passages: Path | None, datasets: dict[str, Path]
) -> "dict[str, TrainingFacts]":
    from raft_exp.evaluation import scoring

    if questions is None or passages is None:
        return {}
    return scoring.training_facts((example.id for example in examples), questions, passages, datasets.values())


@dataclass(frozen=True)
class _Grader:
    """Grades the answers of an arm, under a condition or not, and writes its predictions."""

    config: ReportStage
    answers: dict[str, Path]
    supporting: "SupportingFacts | None"
    vectors: "Vectors | None"
    out: Path

    def __call__(self, arm: str, label: str, examples: list[Example]) -> "ScoredArm":
        from raft_exp.evaluation import scoring

        settings = self.config.arms[arm]
        how = scoring.Grading(
            _profile(self.config),
            shown=settings.get("context") != "none",
            reply_format=self.config.reply_format,
            reasons=bool(settings.get("cot")),
            refusal=self.config.refusal,
            supporting=self.supporting,
            vectors=self.vectors,
        )
        scored = scoring.score_arm(label, examples, read_jsonl(self.answers[label] / "answers.jsonl", Answer), how)
        (self.out / "predictions").mkdir(parents=True, exist_ok=True)
        write_jsonl(self.out / "predictions" / f"{label}.jsonl", scored.rows)
        return scored


def _score(
    config: ReportStage, examples: list[Example], known: "dict[str, TrainingFacts]", graded: _Grader
) -> dict[str, Any]:
    from raft_exp.evaluation import scoring
    from raft_exp.reporting.verdict import verdict

    scored_as = _profile(config)
    arms = {name: graded(name, name, examples) for name in config.arms}
    reference = scoring.reference_arm(config.arms)
    compared = scoring.comparisons(reference, arms, scored_as, config.seed)
    results = {
        "corpus": config.corpus,
        "model": config.model,
        "seed": config.seed,
        "overrides": [],
        "arms": scoring.summaries(arms, examples, scored_as, config.seed, _gold_unknown(known)),
        "comparisons": compared,
        "detectable": scoring.detectable(compared),
        "conditions": {},
        "slices": scoring.slices(examples, arms, scored_as, config.seed, known),
        "baselines": scoring.baselines(examples, scored_as, config.seed),
        "classes": {name: found for name, arm in arms.items() if (found := scoring.classes(arm, scored_as))},
        "metrics": [name for name in scored_as.metrics if any(name in arm.observed for arm in arms.values())],
        "reference": reference,
    }
    return {**results, "verdict": verdict(results)}


def _condition(
    config: ReportStage, condition: str, test: Path, known: "dict[str, TrainingFacts]", graded: _Grader
) -> dict[str, dict[str, Any]]:
    """{arm: {n, metrics, ...}} of the arms that were asked under this condition."""
    from raft_exp.evaluation import scoring

    examples = _examples(test / "rows.jsonl")
    asked = [name for name in config.arms if f"{name}@{condition}" in graded.answers]
    arms = {name: graded(name, f"{name}@{condition}", examples) for name in asked}
    return scoring.summaries(arms, examples, _profile(config), config.seed, _gold_unknown(known))


def _gold_unknown(known: "dict[str, TrainingFacts]") -> frozenset[str]:
    return frozenset(name for name, facts in known.items() if not facts.names_gold)


def _timings(answers: dict[str, Path]) -> dict[str, Any]:
    """{arms: {arm: {seconds_per_answer, answers}}}: of the answers that the last run of each evaluation wrote.

    They stand in a file of their own: everything else has the same bytes whenever it is made.
    """
    found = {}
    for name, folder in answers.items():
        if (folder / "timings.json").exists():
            timed = json.loads((folder / "timings.json").read_text(encoding="utf-8"))
            if number := timed.get("answers"):
                found[name] = {"seconds_per_answer": round(timed["seconds"] / number, 6), "answers": number}
    return {"arms": found}


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
