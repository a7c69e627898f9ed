"""Synthetic results and run folders, for tests of the report without a model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from raft_exp.core.records import write_jsonl
from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.results import ArmResult, Figure, PairedDifference, Prediction, Results
from raft_exp.evaluation.statistics import estimate, generator


def figure(value: float, low: float | None = None, high: float | None = None) -> Figure:
    return {"value": value, "low": max(0, value - 0.05) if low is None else low, "high": high or value + 0.05}


def arm(**metrics: float) -> ArmResult:
    shares = {"parsed": 0.99, "truncated": 0.01, "empty": 0.0}
    return {
        "n": 300,
        "answered": 300,
        "metrics": {name: figure(value) for name, value in {**metrics, **shares}.items()},
    }


def todays() -> Results:
    """Returns a results.json with the keys of every report."""
    arms = {name: arm(accuracy=0.5 + 0.1 * place) for place, name in enumerate(("base", "rag", "raft"))}
    compared: PairedDifference = {
        "metric": "accuracy",
        "difference": 0.1,
        "low": 0.01,
        "high": 0.2,
        "p_value": 0.01,
        "p_value_holm": 0.02,
    }
    return {
        "corpus": "pubmedqa",
        "model": "tiny",
        "seed": 0,
        "overrides": [],
        "arms": arms,
        "comparisons": [{"a": "raft", "b": name, **compared} for name in ("base", "rag")],
        "conditions": {},
        "slices": {"class": {"yes": {name: arm(accuracy=0.7) for name in arms}}},
        "baselines": {},
        "metrics": ["accuracy"],
        "reference": "raft",
        "retrieval": {},
        "verdict": "raft is better than rag.",
    }


def everything() -> Results:
    """Returns a results.json with all possible keys."""
    found = todays()
    for one in found["arms"].values():
        one["metrics"] |= {"accuracy_lenient": figure(0.91), "rouge_l": figure(0.27)}
        one["tokens"] = {"prompt": 512.4, "reply": 33.3}
    found["arms"]["raft"]["behaviour"] = {
        "quoting": {**figure(0.97), "n": 300},
        "quotes_verbatim": {**figure(0.88), "n": 411},
        "quotes_gold": {**figure(0.77), "n": 411},
        "quotes_distractor": {**figure(0.11), "n": 411},
        "abstained_without_gold": {**figure(0.35), "n": 44},
    }
    found["classes"] = {
        "raft": {
            "confusion": {"yes": {"yes": 155, "no": 7}, "no": {"no": 60, "other": 3}},
            "labels": {
                "yes": {"precision": 0.957, "recall": 0.913, "f1": 0.934, "n": 162},
                "no": {"precision": 0.8, "recall": 0.7, "f1": 0.75, "n": 63},
            },
        }
    }
    found["baselines"] = {
        "majority": {"label": "yes", "n": 300, "metrics": {"accuracy": figure(0.552)}},
        "random": {"n": 300, "metrics": {"accuracy": figure(0.333)}},
    }
    found["detectable"] = {"accuracy": {"base": 0.061, "rag": 0.052}}
    found["condition_settings"] = {
        "k0": {"num_distractors": 0},
        "k8": {"context": "gold_and_distractors", "num_distractors": 8},
        "k2": {"num_distractors": 2},
        "g0": {"gold_at": 0},
        "g4": {"gold_at": 4},
        "found": {"context": "retrieved"},
    }
    found["conditions"] = {
        name: {one: arm(accuracy=0.4 + 0.01 * place) for one in ("rag", "raft")}
        for place, name in enumerate(found["condition_settings"])
    }
    found["conditions"]["found"]["raft"]["behaviour"] = {"abstained_without_gold": {**figure(0.42), "n": 17}}
    return found


STUDY = {"evaluation": {"context": "gold_and_distractors", "num_distractors": 4, "gold_at": None, "conditions": {}}}


def run_folder(
    folder: Path,
    right: Mapping[str, Sequence[int]],
    *,
    seed: int = 1,
    world: str = "",
    metrics: Sequence[str] = ("exact_match",),
    conditions: Mapping[str, Any] | None = None,
    kinds: Sequence[str] = (),
    primary: Mapping[str, str] | None = None,
    **settings: Any,
) -> Path:
    """A finished run: `right` says for each arm (or arm@condition) which questions it answers.

    `world` changes the questions; question i is of the kind `kinds[i % len(kinds)]`, a slice. Settings are dotted names
    with `__` for the dots.
    """
    arms = [label for label in right if "@" not in label]
    config: dict[str, Any] = {
        "study": "made",
        "seed": seed,
        "store": str(folder / "store"),
        "arms": {name: {"recipe": "raft" if name == "raft" else "none"} for name in arms},
        "corpus": {"name": "almanac", "world_seed": seed},
        "dataset": {"p": 1.0},
        "evaluation": {**STUDY["evaluation"], "arms": arms, "conditions": dict(conditions or {})},
    }
    for name, value in settings.items():
        group, _, field = name.partition("__")
        config.setdefault(group, {})[field] = value
    (folder / "predictions").mkdir(parents=True)
    figures: dict[str, Any] = {}
    for label, answered in right.items():
        rows = [_row(place, bool(ok), world, label, metrics) for place, ok in enumerate(answered)]
        write_jsonl(folder / "predictions" / f"{label}.jsonl", rows)
        found = {name: estimate(METRICS["accuracy"], list(map(float, answered)), generator(0)) for name in metrics}
        figures[label] = {"n": len(rows), "answered": len(rows), "metrics": {m: vars(e) for m, e in found.items()}}
    results = {
        "corpus": "almanac",
        "model": "tiny",
        "seed": seed,
        "metrics": list(metrics),
        "overrides": [],
        "reference": "raft" if "raft" in arms else arms[-1],
        "baselines": {},
        "arms": {name: figures[name] for name in arms},
        "conditions": {
            name: {one: figures[f"{one}@{name}"] for one in arms if f"{one}@{name}" in figures}
            for name in conditions or {}
        },
    }
    if primary:
        results["primary"] = dict(primary)
    if kinds:
        _write_test_questions(folder, next(iter(right)), kinds)
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def _write_test_questions(folder: Path, label: str, kinds: Sequence[str]) -> None:
    rows = [json.loads(line) for line in (folder / "predictions" / f"{label}.jsonl").read_text().splitlines()]
    named = ({name: row[name] for name in ("id", "question", "answers")} for row in rows)
    lines = ({**row, "slices": {"kind": kinds[place % len(kinds)]}} for place, row in enumerate(named))
    (folder / "dataset").mkdir()
    (folder / "dataset" / "test.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def _row(place: int, ok: bool, world: str, label: str, metrics: Sequence[str]) -> Prediction:
    said = "yes" if ok else "no"
    return prediction(
        f"q{place}",
        f"##Answer: {said}" if "rag" not in label else f"##Answer: {said} ",
        question=f"{world}{place}?",
        said=said,
        metrics={name: float(ok) for name in metrics if METRICS[name].per_row},
    )


def prediction(name: str, raw: str, *, metrics: dict[str, float], question: str = "", said: str = "yes") -> Prediction:
    """A row of `predictions/<arm>.jsonl` for an arm without passages."""
    return {
        "id": name,
        "question": question,
        "answers": ["yes"],
        "context": [],
        "raw": raw,
        "prediction": said,
        "parsed": True,
        "truncated": False,
        "quotes": [],
        "metrics": metrics,
    }
