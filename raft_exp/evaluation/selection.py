"""Chooses a setting by validation questions: the config of the choice, its rule, and texts for the report."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from raft_exp.core.schema import Positive, PositiveFloat, config_dataclass
from raft_exp.evaluation.results import Candidate, Choice, CountedFigure

AS_WRITTEN = "as_written"  # the study's own prompt among the candidates of a prompt
FEW_SHOT = "few_shot"  # the same prompt with worked examples


@config_dataclass
class SelectionConfig:
    """The settings that a study chooses on validation questions before the test. By default no setting is chosen."""

    # Candidates for the learning rate of each training; auto: five around the default of the model; null: no choice.
    learning_rates: Literal["auto"] | list[PositiveFloat] | None = None
    max_items: Positive | None = 200  # validation questions, the same for all candidates; null: all
    # changes to `evaluation` for the validation questions, which may have other contexts than the test questions
    changes: dict[str, object] = field(default_factory=dict)

    @property
    def on(self) -> bool:
        """Whether the study chooses learning rates on validation questions."""
        return self.learning_rates is not None


def choose(
    setting: str,
    metric: str,
    values: Mapping[str, object],
    figures: Mapping[str, Mapping[str, CountedFigure]],
    grid: bool,
    ties: Mapping[str, float] | None = None,
) -> Choice:
    """Chooses the candidate with the highest mean of `metric` over the arms.

    If several candidates have the same mean, `ties` decides between them, and then their order: the first wins.

    - `values`: candidate -> value of the setting.
    - `figures`: candidate -> arm -> figure of `metric`.
    - `grid`: whether the values are ascending numbers. If so, a choice of the first or last value is marked as an edge.
    - `ties`: candidate -> mean of another metric; higher is better.
    """
    tried = [_candidate(name, value, figures[name]) for name, value in values.items()]
    for name, tie_break in (ties or {}).items():
        tried[list(values).index(name)]["tie_break"] = tie_break
    # max returns the first of equal candidates
    best = max(tried, key=lambda candidate: (round(candidate["mean"], 9), round(candidate.get("tie_break", 0.0), 9)))
    edges: dict[str, Literal["lowest", "highest"]] = {tried[-1]["name"]: "highest", tried[0]["name"]: "lowest"}
    return {
        "setting": setting,
        "metric": metric,
        "chosen": best["name"],
        "value": best["value"],
        "edge": edges.get(best["name"]) if grid and len(tried) > 1 else None,
        "candidates": tried,
    }


def _candidate(name: str, value: object, arms: Mapping[str, CountedFigure]) -> Candidate:
    mean = sum(figure["value"] for figure in arms.values()) / len(arms)
    return {"name": name, "value": value, "mean": mean, "arms": dict(arms)}


def describe(label: str, choice: Choice) -> str:
    """Describes a choice in one line: the chosen value and its figure. `label`: the training or arm that uses it."""
    best = next(candidate for candidate in choice["candidates"] if candidate["name"] == choice["chosen"])
    asked = next(iter(best["arms"].values()))["n"]
    return (
        f"{label}: {choice['setting']}={_text(choice)}, the best of {len(choice['candidates'])} on {asked} "
        f"validation questions ({choice['metric'].replace('_', ' ')} {100 * best['mean']:.1f})"
    )


def edge_warning(label: str, choice: Choice) -> str | None:
    """Returns a one-line warning if the chosen value is the lowest or highest in its search grid; else None.

    In this case a better value may lie outside the grid. `label`: the training or arm that uses the chosen value.
    """
    if choice["edge"] is None:
        return None
    return (
        f"For {label} the chosen {choice['setting']}={_text(choice)} is the {choice['edge']} value of the grid: a "
        "better value may lie outside the grid; add values to selection.learning_rates."
    )


def _text(choice: Choice) -> str:
    value = choice["value"]
    if isinstance(value, dict):  # a prompt: its name says more than its settings
        return choice["chosen"]
    return f"{value:g}" if isinstance(value, float) else str(value)
