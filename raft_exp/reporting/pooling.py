"""Pools the figures of a setting over its seeds: of the study, of a condition, or of a slice.

With one seed, the interval covers the sampling of questions, for this training run alone. For several seeds, see
`evaluation.statistics.training_seeds`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raft_exp.evaluation.metrics import METRICS, Observation
from raft_exp.evaluation.results import Figure, Summary
from raft_exp.evaluation.statistics import estimate, estimate_over_seeds, generator
from raft_exp.reporting.settings import RunGroup

T_OVER_SEEDS = "t over seeds"
_WILSON, _EFFECTIVE = "Wilson", "Wilson of the effective number of questions"

Observed = Mapping[str, Observation]  # by question


@dataclass(frozen=True)
class Part:
    """The part of the results to read: a condition, the questions with one value of a slice, or the study's test."""

    condition: str = ""
    slice: tuple[str, str] | None = None  # name and value

    def label(self, arm: str) -> str:
        """Returns the label of an arm's predictions: `<arm>` or `<arm>@<condition>`."""
        return f"{arm}@{self.condition}" if self.condition else arm


STUDY = Part()


def observed(group: RunGroup, arm: str, metric: str, seed: str, part: Part = STUDY) -> Observed:
    """Returns {question: observation} of one seed, sorted by question; {} if the seed does not have the metric."""
    observations = group.replies(part.label(arm), seed).observed.get(metric, {})
    questions = observations.keys() if part.slice is None else group.runs[seed].slices[part.slice[0]][part.slice[1]]
    return {name: observations[name] for name in sorted(questions) if name in observations}


def figure(group: RunGroup, arm: str, metric: str, part: Part = STUDY) -> Figure | None:
    """Returns a metric's figure over the seeds that have the metric; None if no seed has it."""
    seeds = [found for seed in seeds_of(group, part) if (found := observed(group, arm, metric, seed, part))]
    if not seeds:
        return None
    if len(seeds) == 1:
        alone = estimate(METRICS[metric], list(seeds[0].values()), generator(0, "pooled", metric)).as_figure()
        method = _WILSON if METRICS[metric].share else _EFFECTIVE
        return {**alone, "method": method, "seeds": 1, "df": None}
    over = estimate_over_seeds(METRICS[metric], seeds)
    return {**over.as_figure(), "method": T_OVER_SEEDS, "seeds": len(seeds), "df": over.df}


def summary(group: RunGroup, arm: str, metrics: Sequence[str], part: Part = STUDY) -> Summary:
    """Returns the figures of an arm. `n` counts a question once, even if several seeds have it."""
    seeds = seeds_of(group, part)
    questions = {name for seed in seeds for metric in metrics[:1] for name in observed(group, arm, metric, seed, part)}
    figures = {metric: figure(group, arm, metric, part) for metric in metrics}
    return {"n": len(questions), "metrics": {metric: found for metric, found in figures.items() if found}}


def seeds_of(group: RunGroup, part: Part) -> list[str]:
    """Returns the seeds of a setting that have results of `part`."""
    if part.slice is None:
        return list(group.runs)
    name, value = part.slice
    return [seed for seed, run in group.runs.items() if value in run.slices.get(name, {})]


def under_conditions(group: RunGroup, metrics: Sequence[str]) -> dict[str, dict[str, Summary]]:
    """Returns {condition: {arm: figures over the seeds}}."""
    return {
        name: {arm: summary(group, arm, metrics, Part(condition=name)) for arm in arms_under(group, name)}
        for name in group.conditions
    }


def arms_under(group: RunGroup, condition: str) -> list[str]:
    """Returns the arms for which all runs have results under a condition."""
    of_runs = [run.results["conditions"][condition] for run in group.runs.values()]
    return [arm for arm in group.arms if all(arm in of_run for of_run in of_runs)]


def by_slice(group: RunGroup, metrics: Sequence[str]) -> dict[str, dict[str, dict[str, Summary]]]:
    """Returns {slice: {value: {arm: figures over the seeds}}}."""
    return {
        name: {
            value: {arm: summary(group, arm, metrics, Part(slice=(name, value))) for arm in group.arms}
            for value in values
        }
        for name, values in slice_values(group).items()
    }


def slice_values(group: RunGroup) -> dict[str, list[str]]:
    """Returns {slice: its values}, collected over all seeds."""
    values: dict[str, set[str]] = {}
    for run in group.runs.values():
        for name, groups in run.slices.items():
            values.setdefault(name, set()).update(groups)
    return {name: sorted(found) for name, found in values.items()}
