"""Settings against each other: pooled figures, figures seed by seed, and paired comparisons on the same questions.

A figure of several seeds is over their questions pooled. A question that several seeds asked counts once, with the mean
of its replies, so that asking it again does not make an interval narrower than the questions allow.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from statistics import fmean
from typing import Any

from raft_exp.core.errors import DataError
from raft_exp.evaluation.metrics import METRICS, Counts, Figures, Metric
from raft_exp.evaluation.statistics import compare, estimate, generator, holm, seeds
from raft_exp.reporting.comparison_verdict import verdict
from raft_exp.reporting.settings import RunGroup

ALL_PAIRS = 8  # settings: above it each is compared with the first alone

Cells = Mapping[str, tuple[Any, ...]]  # question -> what a metric saw of it, seed by seed


def compared(found: Sequence[RunGroup]) -> dict[str, Any]:
    """Everything that comparison.json holds of the settings."""
    runs = [run for setting in found for run in setting.runs.values()]
    metrics = [name for name in METRICS if all(name in run.results["metrics"] for run in runs)]
    metrics.sort(key=runs[0].results["metrics"].index)
    if not metrics:
        raise DataError(f"{runs[0].folder}: no metric in common with the other runs; compare runs of one corpus")
    reference = _reference(found)
    told: dict[str, Any] = {"metrics": metrics, "reference": reference}
    told["settings"] = [
        {
            "name": setting.name,
            "values": dict(setting.values),
            "runs": {seed: str(run.folder) for seed, run in setting.runs.items()},
            "arms": {arm: _pooled_arm(setting, arm, metrics) for arm in setting.arms},
            "conditions": {name: _under(setting, name, metrics[:1]) for name in setting.conditions},
            "seeds": _by_seed(setting, metrics),
        }
        for setting in found
    ]
    told["comparisons"], told["same"], told["apart"] = _comparisons(found, metrics)
    return {**told, "verdict": verdict(told)}


def pooled(setting: RunGroup, label: str, metric: str) -> dict[str, float] | None:
    """A metric's figure over the questions of all seeds; None where the arm does not have it."""
    cells = _cells(setting, label, metric, list(setting.runs))
    if not cells:
        return None
    how, seen = _observations(METRICS[metric], [cells])
    return asdict(estimate(how, seen[0], generator(0, "pooled", metric)))


def _by_seed(setting: RunGroup, metrics: Sequence[str]) -> dict[str, Any]:
    """{arm: {metric: {mean, deviation, values: {seed: value}}}}."""
    found = seeds(run.results for run in setting.runs.values())
    return {arm: {name: found[arm][name] for name in metrics if name in found[arm]} for arm in setting.arms}


def _reference(found: Sequence[RunGroup]) -> str:
    """The arm that the comparison is about: the reference arm of most runs, one that all settings have if there is."""
    common = [arm for arm in found[0].arms if all(arm in setting.arms for setting in found)]
    named = [str(run.results["reference"]) for setting in found for run in setting.runs.values()]
    return max(named, key=lambda arm: (arm in common, named.count(arm)))


def _under(setting: RunGroup, condition: str, metrics: Sequence[str]) -> dict[str, Any]:
    asked = [run.results["conditions"][condition] for run in setting.runs.values()]
    arms = [arm for arm in setting.arms if all(arm in arms for arms in asked)]
    return {arm: _pooled_arm(setting, f"{arm}@{condition}", metrics) for arm in arms}


def _pooled_arm(setting: RunGroup, label: str, metrics: Sequence[str]) -> dict[str, Any]:
    figures = {metric: pooled(setting, label, metric) for metric in metrics}
    n = len({question for seed in setting.runs for question in setting.replies(label, seed).questions})
    return {"n": n, "metrics": {metric: figure for metric, figure in figures.items() if figure}}


def _cells(setting: RunGroup, label: str, metric: str, names: Sequence[str]) -> Cells:
    found: dict[str, tuple[Any, ...]] = {}
    for seed in names:
        for question, seen in setting.replies(label, seed).observed.get(metric, {}).items():
            found[question] = (*found.get(question, ()), seen)
    return dict(sorted(found.items()))


def _observations(metric: Metric, arms: Sequence[Cells]) -> tuple[Metric, list[list[Any]]]:
    """The metric and what it saw of each question. One reply a question keeps the exact methods of a share."""
    if all(len(seen) == 1 for cells in arms for seen in cells.values()):
        return metric, [[seen[0] for seen in cells.values()] for cells in arms]
    if metric.per_row:
        return replace(metric, share=False), [[fmean(seen) for seen in cells.values()] for cells in arms]
    return replace(metric, share=False, aggregate=_spread(metric)), [list(cells.values()) for cells in arms]


def _spread(metric: Metric) -> Any:
    """A figure such as macro F1 over questions with several replies each: all replies of a drawn question count."""

    def aggregate(cells: Sequence[tuple[Any, ...]], counts: Counts) -> Figures:
        places = [place for place, seen in enumerate(cells) for _ in seen]
        return metric.aggregate([one for seen in cells for one in seen], counts[:, places])

    return aggregate


def _comparisons(found: Sequence[RunGroup], metrics: Sequence[str]) -> tuple[list[Any], list[Any], list[str]]:
    """All paired comparisons, corrected together metric by metric; the arms whose replies are the same in two settings,
    which need none; and a line for each that cannot be made."""
    rows: list[dict[str, Any]] = []
    same: list[dict[str, str]] = []
    apart: list[str] = []
    for setting in found:
        for other in setting.arms:
            if other != setting.reference:
                rows += _paired(setting, setting, (setting.reference, other), metrics, list(setting.runs))
    for a, b in _pairs(found):
        shared = [seed for seed in a.runs if seed in b.runs]
        if why := _not_comparable(a, b, shared):
            apart.append(why)
            continue
        for mine, theirs in _same_arms(a, b):
            if any(a.replies(mine, seed).digest != b.replies(theirs, seed).digest for seed in shared):
                rows += _paired(a, b, (mine, theirs), metrics, shared)
            elif mine == theirs:
                same.append({"a": a.name, "b": b.name, "arm": mine})
    for metric in metrics:
        mine_rows = [row for row in rows if row["metric"] == metric]
        for row, p_value in zip(mine_rows, holm([row["p_value"] for row in mine_rows]), strict=True):
            row["p_value_holm"] = p_value
    return rows, same, apart


def _pairs(found: Sequence[RunGroup]) -> Iterator[tuple[RunGroup, RunGroup]]:
    """(later, earlier): a difference is what the later one adds."""
    pairs = combinations(found, 2) if len(found) <= ALL_PAIRS else ((found[0], other) for other in found[1:])
    return ((later, earlier) for earlier, later in pairs)


def _same_arms(a: RunGroup, b: RunGroup) -> list[tuple[str, str]]:
    """The arms that both have, and the two reference arms where these have other names."""
    both = [(arm, arm) for arm in a.arms if arm in b.arms]
    references = (a.reference, b.reference)
    return [*both, references] if references[0] != references[1] else both


def _not_comparable(a: RunGroup, b: RunGroup, shared: Sequence[str]) -> str:
    """Why two settings stand apart, in one line; "" where their questions are the same, seed by seed."""
    if not shared:
        return f"{a.name} and {b.name}: no seed in common, so that they are not compared"
    for seed in shared:
        arms = [(setting.arms[0], setting) for setting in (a, b)]
        first, second = (setting.replies(arm, seed).questions for arm, setting in arms)
        if first != second:
            return f"{a.name} and {b.name}: their test questions differ (seed {seed}), so that they are not compared"
    return ""


def _paired(
    a: RunGroup, b: RunGroup, arms: tuple[str, str], metrics: Sequence[str], names: Sequence[str]
) -> list[dict[str, Any]]:
    rows = []
    for metric in metrics:
        left, right = _cells(a, arms[0], metric, names), _cells(b, arms[1], metric, names)
        if left and left.keys() == right.keys():
            how, seen = _observations(METRICS[metric], [left, right])
            found = compare(how, seen[0], seen[1], generator(0, metric, a.name, b.name, *arms))
            place = {"a": a.name, "arm_a": arms[0], "b": b.name, "arm_b": arms[1], "metric": metric, "n": len(left)}
            rows.append({**place, "seeds": list(names), **asdict(found)})
    return rows
