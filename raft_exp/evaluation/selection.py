"""A setting chosen on validation questions: the settings of the search, the rule of the choice, its description."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from raft_exp.core.schema import Positive, PositiveFloat, config_dataclass
from raft_exp.evaluation.results import Candidate, Choice, CountedFigure

AS_WRITTEN = "as_written"  # the study's own prompt among the candidates of a prompt
FEW_SHOT = "few_shot"  # the same prompt with worked examples


@config_dataclass
class SelectionConfig:
    """What a study chooses on validation questions before it asks the test. By default nothing."""

    # The learning rates that every training is tried with; auto: five around the one that suits the model.
    learning_rates: Literal["auto"] | list[PositiveFloat] | None = None
    max_items: Positive | None = 200  # validation questions, the same ones for all; null: all
    changes: dict[str, object] = field(
        default_factory=dict
    )  # to `evaluation`, for validation questions of another kind

    @property
    def on(self) -> bool:
        """Whether the study chooses anything."""
        return self.learning_rates is not None


def choose(
    setting: str,
    metric: str,
    values: Mapping[str, object],
    figures: Mapping[str, Mapping[str, CountedFigure]],
    grid: bool,
    ties: Mapping[str, float] | None = None,
) -> Choice:
    """The candidate with the highest mean of `metric` over the arms; of equal ones the best by `ties`, else the first.

    `values` are the candidates' values of the setting, by name, and `figures` their figures, by name and arm. `grid`:
    the values ascend, and a better one may lie beyond an edge. `ties`: the mean of another metric by name.
    """
    tried = [_candidate(name, value, figures[name]) for name, value in values.items()]
    for name, tie_break in (ties or {}).items():
        tried[list(values).index(name)]["tie_break"] = tie_break
    # the first of equal ones
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
    """The choice as one line: what was chosen for the training (or arms) `label`, and by which figure."""
    best = next(candidate for candidate in choice["candidates"] if candidate["name"] == choice["chosen"])
    asked = next(iter(best["arms"].values()))["n"]
    return (
        f"{label}: {choice['setting']}={_text(choice)}, chosen of {len(choice['candidates'])} on {asked} "
        f"validation questions ({choice['metric'].replace('_', ' ')} {100 * best['mean']:.1f})"
    )


def edge_warning(label: str, choice: Choice) -> str | None:
    """A line for a choice at an edge of its grid, beyond which a better value may lie; None for any other."""
    if choice["edge"] is None:
        return None
    return (
        f"For {label} the chosen {choice['setting']}={_text(choice)} is the {choice['edge']} of the grid: a "
        "better one may lie beyond it; widen selection.learning_rates."
    )


def _text(choice: Choice) -> str:
    value = choice["value"]
    if isinstance(value, dict):  # a prompt: its name says more than its settings
        return choice["chosen"]
    return f"{value:g}" if isinstance(value, float) else str(value)
