"""Compares settings: pooled figures, figures of each seed, and paired comparisons on the same questions.

A figure of several seeds is over their questions pooled. A question of several seeds counts once, with the mean over
its replies: repeated questions must not make an interval narrower.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from statistics import fmean
from typing import TypeAlias

from raft_exp.core.errors import DataError
from raft_exp.evaluation.metrics import METRICS, Aggregate, Counts, Figures, Metric, Observation, number
from raft_exp.evaluation.results import Figure, SeedFigures, Summary
from raft_exp.evaluation.statistics import compare, estimate, generator, holm, seeds
from raft_exp.reporting.comparison_results import ComparisonResults, EqualReplies, SettingComparison
from raft_exp.reporting.comparison_verdict import verdict
from raft_exp.reporting.settings import RunGroup

ALL_PAIRS = 8  # settings: with more of them each is compared only with the first

Cell: TypeAlias = tuple[Observation, ...]  # the observations of one question, seed by seed
Cells = Mapping[str, Cell]  # by question


def compared(groups: Sequence[RunGroup]) -> ComparisonResults:
    """The comparison of the settings. Raises DataError for runs without a common metric."""
    runs = [run for group in groups for run in group.runs.values()]
    metrics = [name for name in METRICS if all(name in run.results["metrics"] for run in runs)]
    metrics.sort(key=runs[0].results["metrics"].index)
    if not metrics:
        raise DataError(f"{runs[0].folder}: no metric in common with the other runs; compare runs of one corpus")
    comparisons, same, apart = _comparisons(groups, metrics)
    results: ComparisonResults = {
        "metrics": metrics,
        "reference": _reference(groups),
        "settings": [
            {
                "name": group.name,
                "values": dict(group.values),
                "runs": {seed: str(run.folder) for seed, run in group.runs.items()},
                "arms": {arm: _pooled_arm(group, arm, metrics) for arm in group.arms},
                "conditions": {name: _under(group, name, metrics[:1]) for name in group.conditions},
                "seeds": _by_seed(group, metrics),
            }
            for group in groups
        ],
        "comparisons": comparisons,
        "same": same,
        "apart": apart,
        "verdict": "",
    }
    results["verdict"] = verdict(results)
    return results


def pooled(group: RunGroup, label: str, metric: str) -> Figure | None:
    """A metric's figure over the questions of all seeds; None where the arm does not have it."""
    cells = _cells(group, label, metric, list(group.runs))
    if not cells:
        return None
    merged, [observations] = _observations(METRICS[metric], [cells])
    return estimate(merged, observations, generator(0, "pooled", metric)).as_figure()


def _by_seed(group: RunGroup, metrics: Sequence[str]) -> dict[str, dict[str, SeedFigures]]:
    figures = seeds(run.results for run in group.runs.values())
    return {arm: {name: figures[arm][name] for name in metrics if name in figures[arm]} for arm in group.arms}


def _reference(groups: Sequence[RunGroup]) -> str:
    """The arm that the comparison is about: the reference arm of most runs, preferably one that all settings have."""
    common = [arm for arm in groups[0].arms if all(arm in group.arms for group in groups)]
    references = [run.results["reference"] for group in groups for run in group.runs.values()]
    return max(references, key=lambda arm: (arm in common, references.count(arm)))


def _under(group: RunGroup, condition: str, metrics: Sequence[str]) -> dict[str, Summary]:
    of_runs = [run.results["conditions"][condition] for run in group.runs.values()]
    arms = [arm for arm in group.arms if all(arm in of_run for of_run in of_runs)]
    return {arm: _pooled_arm(group, f"{arm}@{condition}", metrics) for arm in arms}


def _pooled_arm(group: RunGroup, label: str, metrics: Sequence[str]) -> Summary:
    figures = {metric: pooled(group, label, metric) for metric in metrics}
    n = len({question for seed in group.runs for question in group.replies(label, seed).questions})
    return {"n": n, "metrics": {metric: figure for metric, figure in figures.items() if figure}}


def _cells(group: RunGroup, label: str, metric: str, names: Sequence[str]) -> Cells:
    """The observations of an arm over the seeds `names`, sorted by question."""
    cells: dict[str, Cell] = {}
    for seed in names:
        for question, observation in group.replies(label, seed).observed.get(metric, {}).items():
            cells[question] = (*cells.get(question, ()), observation)
    return dict(sorted(cells.items()))


def _observations(metric: Metric, arms: Sequence[Cells]) -> tuple[Metric, list[list[Observation]]]:
    """The metric over questions, and one observation of each question. Exact methods apply to a share only where each
    question has one reply."""
    if all(len(cell) == 1 for cells in arms for cell in cells.values()):
        return metric, [[cell[0] for cell in cells.values()] for cells in arms]
    if metric.per_row:
        return replace(metric, share=False), [[fmean(map(number, cell)) for cell in cells.values()] for cells in arms]
    return replace(metric, share=False, aggregate=_over_cells(metric)), [list(cells.values()) for cells in arms]


def _over_cells(metric: Metric) -> Aggregate:
    """Aggregates questions with several replies each: a resampled question counts with all its replies."""

    def aggregate(cells: Sequence[Cell], counts: Counts) -> Figures:
        places = [place for place, cell in enumerate(cells) for _ in cell]
        return metric.aggregate([observation for cell in cells for observation in cell], counts[:, places])

    return aggregate


def _comparisons(
    groups: Sequence[RunGroup], metrics: Sequence[str]
) -> tuple[list[SettingComparison], list[EqualReplies], list[str]]:
    """All paired comparisons, corrected together for each metric; the arms with equal replies in two settings, which
    are not compared; and a line for each pair of settings that cannot be compared."""
    rows: list[SettingComparison] = []
    same: list[EqualReplies] = []
    apart: list[str] = []
    for group in groups:
        for other in group.arms:
            if other != group.reference:
                rows += _paired(group, group, (group.reference, other), metrics, list(group.runs))
    for a, b in _pairs(groups):
        shared = [seed for seed in a.runs if seed in b.runs]
        if why := _not_comparable(a, b, shared):
            apart.append(why)
            continue
        for left, right in _same_arms(a, b):
            if any(a.replies(left, seed).digest != b.replies(right, seed).digest for seed in shared):
                rows += _paired(a, b, (left, right), metrics, shared)
            elif left == right:
                same.append({"a": a.name, "b": b.name, "arm": left})
    for metric in metrics:
        of_metric = [row for row in rows if row["metric"] == metric]
        for row, p_value in zip(of_metric, holm([row["p_value"] for row in of_metric]), strict=True):
            row["p_value_holm"] = p_value
    return rows, same, apart


def _pairs(groups: Sequence[RunGroup]) -> Iterator[tuple[RunGroup, RunGroup]]:
    """(later, earlier) settings: a difference is the later minus the earlier."""
    pairs = combinations(groups, 2) if len(groups) <= ALL_PAIRS else ((groups[0], other) for other in groups[1:])
    return ((later, earlier) for earlier, later in pairs)


def _same_arms(a: RunGroup, b: RunGroup) -> list[tuple[str, str]]:
    """The arms that both settings have, and the two reference arms where their names differ."""
    both = [(arm, arm) for arm in a.arms if arm in b.arms]
    references = (a.reference, b.reference)
    return [*both, references] if references[0] != references[1] else both


def _not_comparable(a: RunGroup, b: RunGroup, shared: Sequence[str]) -> str:
    """Why two settings cannot be compared, in one line; "" where their questions are equal in each shared seed."""
    if not shared:
        return f"{a.name} and {b.name}: no seed in common, so that they are not compared"
    for seed in shared:
        first, second = (group.replies(group.arms[0], seed).questions for group in (a, b))
        if first != second:
            return f"{a.name} and {b.name}: their test questions differ (seed {seed}), so that they are not compared"
    return ""


def _paired(
    a: RunGroup, b: RunGroup, arms: tuple[str, str], metrics: Sequence[str], names: Sequence[str]
) -> list[SettingComparison]:
    """The comparisons of two arms; `p_value_holm` is still uncorrected."""
    rows: list[SettingComparison] = []
    for metric in metrics:
        left, right = _cells(a, arms[0], metric, names), _cells(b, arms[1], metric, names)
        if left and left.keys() == right.keys():
            merged, observations = _observations(METRICS[metric], [left, right])
            pair = compare(merged, observations[0], observations[1], generator(0, metric, a.name, b.name, *arms))
            rows.append(
                {
                    "a": a.name,
                    "arm_a": arms[0],
                    "b": b.name,
                    "arm_b": arms[1],
                    "metric": metric,
                    "n": len(left),
                    "seeds": list(names),
                    "difference": pair.difference,
                    "low": pair.low,
                    "high": pair.high,
                    "p_value": pair.p_value,
                    "detectable": pair.detectable,
                    "p_value_holm": pair.p_value,
                }
            )
    return rows
