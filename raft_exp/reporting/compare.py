"""Compares settings: figures over seeds, figures of each seed, and paired comparisons on the same questions."""

from collections.abc import Mapping, Sequence

from raft_exp.core.errors import DataError
from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.results import Primary, SeedFigures
from raft_exp.evaluation.statistics import seeds
from raft_exp.reporting import pairing, pooling
from raft_exp.reporting.comparison_results import ComparisonResults, SettingResult
from raft_exp.reporting.comparison_special import SPECIAL
from raft_exp.reporting.comparison_verdict import verdict
from raft_exp.reporting.facts import section
from raft_exp.reporting.runs import Run
from raft_exp.reporting.settings import RunGroup


def compared(groups: Sequence[RunGroup]) -> ComparisonResults:
    """Returns the comparison of the settings.

    Raises DataError if the runs have no metric in common, or if a run lacks a file of predictions.
    """
    runs = [run for group in groups for run in group.runs.values()]
    metrics = [name for name in METRICS if all(name in run.results["metrics"] for run in runs)]
    metrics.sort(key=runs[0].results["metrics"].index)
    if not metrics:
        raise DataError(f"{runs[0].folder}: has no metric in common with the other runs; compare runs of one corpus")
    primary = _primary(groups, metrics)
    rows, same, apart = pairing.comparisons(groups, metrics, primary)
    reference = _reference(groups)
    results: ComparisonResults = {
        "metrics": metrics,
        "reference": reference,
        "trained": [arm for arm in dict.fromkeys(a for group in groups for a in group.arms) if _trained(runs, arm)],
        "settings": [_setting(group, metrics) for group in groups],
        "comparisons": rows,
        "condition_comparisons": pairing.under_conditions(groups, metrics[:1]),
        "special_comparisons": pairing.under_conditions(groups, SPECIAL),
        "slice_comparisons": pairing.by_slice(groups, metrics[0]),
        "same": same,
        "same_questions": pairing.same_questions(groups),
        "apart": apart,
        "verdict": "",
    }
    if primary:
        results["primary"] = primary
    results["verdict"] = verdict(results)
    return results


def _setting(group: RunGroup, metrics: Sequence[str]) -> SettingResult:
    return {
        "name": group.name,
        "values": dict(group.values),
        "runs": {seed: run.name for seed, run in group.runs.items()},
        "arms": {arm: pooling.summary(group, arm, metrics) for arm in group.arms},
        "conditions": pooling.under_conditions(group, [*metrics, *SPECIAL]),
        "slices": pooling.by_slice(group, metrics[:1]),
        "seeds": _by_seed(group, metrics),
    }


def _by_seed(group: RunGroup, metrics: Sequence[str]) -> dict[str, dict[str, SeedFigures]]:
    """Returns {label: {metric: figures of the seeds}}. A label is `<arm>` or `<arm>@<condition>`."""
    results = [run.results for run in group.runs.values()]
    figures = {arm: of_arm for arm, of_arm in seeds(results).items() if arm in group.arms}
    for name in group.conditions:
        under = seeds([{**of_run, "arms": of_run["conditions"][name]} for of_run in results])
        figures |= {f"{arm}@{name}": under[arm] for arm in pooling.arms_under(group, name)}
    return {label: {name: one[name] for name in (*metrics, *SPECIAL) if name in one} for label, one in figures.items()}


def _reference(groups: Sequence[RunGroup]) -> str:
    """Returns the reference arm of most runs, preferably an arm that all settings have."""
    common = [arm for arm in groups[0].arms if all(arm in group.arms for group in groups)]
    references = [run.results["reference"] for group in groups for run in group.runs.values()]
    return max(references, key=lambda arm: (arm in common, references.count(arm)))


def _primary(groups: Sequence[RunGroup], metrics: Sequence[str]) -> Primary | None:
    """Returns the primary contrast that all runs of a single setting have.

    Returns None for several settings, and if the metric or an arm of the contrast is missing in a run.
    """
    runs = list(groups[0].runs.values())
    primary = runs[0].results.get("primary")
    if len(groups) > 1 or primary is None or any(run.results.get("primary") != primary for run in runs):
        return None
    known = primary["metric"] in metrics and {primary["arm"], primary["against"]} <= {*groups[0].arms}
    return primary if known else None


def _trained(runs: Sequence[Run], arm: str) -> bool:
    """Whether any of the runs trains the arm."""
    arms: list[Mapping[str, object]] = [section(section(run.config, "arms"), arm) for run in runs]
    return any(settings.get("recipe", "none") != "none" for settings in arms)
