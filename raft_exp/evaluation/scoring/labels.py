"""Closed answers: a table of classes for each arm, and what needs no model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from raft_exp.core.records import Example
from raft_exp.evaluation import statistics
from raft_exp.evaluation.metrics import LABELS, METRICS, Graded, Profile, decision
from raft_exp.evaluation.scoring.figures import summary
from raft_exp.evaluation.scoring.replies import ScoredArm

OTHER = "other"  # any prediction that is no label of the test set


def classes(arm: ScoredArm, profile: Profile) -> dict[str, Any]:
    """{confusion: {true: {predicted: count}}, labels: {label: {precision, recall, f1, n}}}; {} for open answers.

    A label that is never predicted has precision 0.
    """
    if not profile.closed:
        return {}
    names = _names(row["answers"][0] for row in arm.rows)
    pairs = Counter((row["answers"][0], _predicted(row["prediction"], names)) for row in arm.rows)
    columns = [*names, *([OTHER] if any(said == OTHER for _, said in pairs) else [])]
    confusion = {true: {said: pairs[true, said] for said in columns} for true in names}
    return {"confusion": confusion, "labels": {name: _label(name, confusion) for name in names}}


def _names(answers: Any) -> list[str]:
    """The labels in their usual order, others behind them."""
    return sorted(set(answers), key=lambda name: (LABELS.index(name) if name in LABELS else len(LABELS), name))


def _predicted(prediction: str, names: Sequence[str]) -> str:
    said = decision(prediction)
    return said if said in names else OTHER


def _label(name: str, confusion: dict[str, dict[str, int]]) -> dict[str, float]:
    right, n = confusion[name][name], sum(confusion[name].values())
    said = sum(row[name] for row in confusion.values())
    found = {"precision": right / said if said else 0.0, "recall": right / n, "f1": 2 * right / (said + n)}
    return {**{key: round(value, 12) for key, value in found.items()}, "n": n}


def baselines(examples: Sequence[Example], profile: Profile, seed: int) -> dict[str, Any]:
    """What needs no model: always the most frequent label of the test set, and one of its labels drawn by chance."""
    if not profile.closed:
        return {}
    counted = Counter(example.answers[0] for example in examples)
    names = _names(counted)
    label = max(names, key=lambda name: counted[name])
    metrics = [name for name in profile.metrics if METRICS[name].observe and not METRICS[name].of_quotes]
    always = {name: [_said(name, example.answers, label, profile) for example in examples] for name in metrics}
    chance = {name: asdict(_by_chance(name, counted, names, profile, seed)) for name in metrics}
    return {
        "majority": {"label": decision(label), **summary(always, metrics, seed)},
        "random": {"n": len(examples), "metrics": chance},
    }


def _said(metric: str, answers: Sequence[str], label: str, profile: Profile) -> Any:
    observe = METRICS[metric].observe
    assert observe is not None, "a baseline has no text to show an encoder"
    return observe(replace(Graded(answers, label, label, profile.normalize), lenient=label))


def _by_chance(
    metric: str, counted: Counter[str], names: Sequence[str], profile: Profile, seed: int
) -> statistics.Estimate:
    weights = Counter[Any]()
    for true, number in counted.items():
        for name in names:
            weights[_said(metric, [true], name, profile)] += number  # each label as often: only proportions matter
    cells = sorted(weights)
    random = statistics.generator(seed, "random", metric)
    return statistics.expected(METRICS[metric], cells, [weights[cell] for cell in cells], counted.total(), random)
