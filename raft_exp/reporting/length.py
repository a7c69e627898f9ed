"""The length of the prompts of each test set, and a plot of the score against this length."""

from collections.abc import Mapping
from typing import Literal

from raft_exp.core.audit import DatasetAudit, SplitAudit
from raft_exp.evaluation.results import PromptLength, Results
from raft_exp.reporting import conditions
from raft_exp.reporting.conditions import STUDY, Sweep
from raft_exp.reporting.facts import section
from raft_exp.reporting.plots import curves

FIGURES: tuple[Literal["passages", "tokens"], ...] = ("passages", "tokens")
_AXIS = "tokens of a prompt (median)"
_SIZES = ("num_distractors", "k")  # settings that decide the number of passages


def lengths(tests: Mapping[str, DatasetAudit]) -> dict[str, PromptLength]:
    """Returns the length of the prompts of each test set: mean number of passages, and median number of tokens.

    `tests`: "test" or condition -> audit of the test set. The tokens are those of the prompt that asks for reasoning.
    """
    found: dict[str, PromptLength] = {}
    for name, audit in tests.items():
        for split in audit.get("splits", {}).values():  # a test set has one split
            found[name] = {"passages": _passages(split), "tokens": split["prompt_tokens"]["median"]}
    return found


def plot(results: Results, settings: Mapping[str, object]) -> str:
    """Draws the first metric against the median length of the prompts in tokens.

    Returns SVG, or "" if no sweep over the number of passages has two lengths.

    The plot shows the two arms of the verdict, with a line for each sweep over the number of passages. A study with
    evaluation=long has a sweep for each place of the gold passage.
    """
    known = results.get("lengths", {})
    found = conditions.sweeps(conditions.settings_of(results, settings), section(settings, "evaluation"))
    swept = [sweep for sweep in found if sweep.field in _SIZES]
    if not known or not swept:
        return ""
    metric, lines = results["metrics"][0], dict[str, list[curves.Point]]()
    for arm in _arms(results):
        for sweep in swept:
            points = _points(results, sweep, arm, metric, known)
            if len(points) > 1:
                lines[f"{arm}, {sweep.rest}" if sweep.rest else arm] = points
    return curves.curves(lines, metric, _AXIS, results.get("baselines", {}))


def _points(
    results: Results, sweep: Sweep, arm: str, metric: str, known: Mapping[str, PromptLength]
) -> list[curves.Point]:
    figures = conditions.figures(results, [name for _, name in sweep.points])
    return [
        (known[place]["tokens"], arms[arm]["metrics"][metric])
        for name, arms in figures.items()
        if (place := key(name)) in known and arm in arms and metric in arms[arm]["metrics"]
    ]


def key(condition: str) -> str:
    """Returns the key of a condition in the result of `lengths`: "test" for STUDY, else the condition's name."""
    return "test" if condition == STUDY else condition


def _arms(results: Results) -> list[str]:
    """Returns the arms of the verdict that have results under conditions, the reference arm first."""
    names = conditions.arms_of(results)
    against = results["primary"]["against"] if "primary" in results else None
    return [name for name in names if name in (results["reference"], against)]


def _passages(split: SplitAudit) -> float:
    """Returns the mean number of passages of a prompt."""
    sizes = [*split["passages_with_gold"].items(), *split["passages_without_gold"].items()]
    rows = sum(count for _, count in sizes)
    return round(sum(int(size) * count for size, count in sizes) / rows, 2) if rows else 0.0
