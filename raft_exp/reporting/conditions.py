"""Results under conditions (tests with other evaluation settings), and curves of conditions that change one number."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from raft_exp.evaluation.results import ArmResult, Results
from raft_exp.reporting.facts import section
from raft_exp.reporting.plots import curves

STUDY = "as in the study"
_AXES = {
    "num_distractors": "distractors in the context",
    "k": "retrieved passages in the context (k)",
    "gold_at": "place of the gold passage (0 is the first)",
}
_CONTEXTS = {"num_distractors": ("gold_and_distractors",), "k": ("retrieved",)}  # contexts in which the number applies

_NO_CHANGE = ("allow_cut",)  # settings that change no context

Arms = Mapping[str, ArmResult]
ConditionSettings = Mapping[str, Mapping[str, object]]  # condition -> the evaluation settings that it changes


class TitledPlot(TypedDict):
    """A plot with its heading."""

    title: str
    svg: str


@dataclass(frozen=True)
class Sweep:
    """Conditions that change one number (`field`), in the order of its values.

    `rest` names the other settings that all these conditions change.
    """

    field: str
    rest: str
    points: Sequence[tuple[float, str]]  # (number, name of the condition)

    @property
    def axis(self) -> str:
        """The label of the x axis."""
        return _AXES.get(self.field, self.field) + (f", {self.rest}" if self.rest else "")


def sweeps(settings: ConditionSettings, study: Mapping[str, object]) -> list[Sweep]:
    """Returns the curves that the conditions form: the conditions of a curve differ only in one number.

    A condition is on one curve at most. `settings`: condition -> the settings that it changes. `study`: the study's own
    evaluation settings. The study's own test is a point of each curve whose conditions change nothing else.
    """
    groups: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for name, changed in [(STUDY, _own(study)), *settings.items()]:
        for field in _AXES:
            number = changed.get(field)
            if isinstance(number, int | float) and not isinstance(number, bool):
                others = {
                    key: value
                    for key, value in changed.items()
                    if key not in (field, *_NO_CHANGE) and value != study.get(key)
                }
                others = {} if name == STUDY else others  # the study changes none of its own settings
                rest = ", ".join(f"{key} {value}" for key, value in sorted(others.items()))
                groups.setdefault((field, rest), []).append((float(number), name))
    curves_found, taken = [], set[str]()
    for (field, rest), points in sorted(groups.items(), key=lambda group: -len(group[1])):
        free = {number: name for number, name in sorted(points) if name not in taken or name == STUDY}
        if len(free) > 1 and any(name != STUDY for name in free.values()):
            curves_found.append(Sweep(field, rest, list(free.items())))
            taken |= set(free.values())
    return curves_found


def _own(study: Mapping[str, object]) -> dict[str, object]:
    fields = (field for field in _AXES if study.get("context") in _CONTEXTS.get(field, (study.get("context"),)))
    return {field: study[field] for field in fields if study.get(field) is not None}


def settings_of(results: Results, settings: Mapping[str, object]) -> ConditionSettings:
    """Returns {condition: the settings that it changes} for the conditions with results.

    `settings`: the study's config. It is used only for results of older versions, which lack the conditions' settings.
    """
    known = results.get("condition_settings") or section(section(settings, "evaluation"), "conditions")
    return {name: section(known, name) for name in results.get("conditions", {})}


def ordered(results: Results, settings: Mapping[str, object]) -> list[str]:
    """Returns the conditions in table order: those of each curve, sorted by number, then those without a curve."""
    found = sweeps(settings_of(results, settings), section(settings, "evaluation"))
    names = [name for sweep in found for _, name in sweep.points if name != STUDY]
    return [*dict.fromkeys([*names, *results.get("conditions", {})])]


def arms_of(results: Results) -> list[str]:
    """Returns the arms with results under conditions, the reference arm first."""
    conditions = results.get("conditions", {})
    names = [name for name in results["arms"] if any(name in arms for arms in conditions.values())]
    return sorted(names, key=lambda name: name != results["reference"])


def figures(results: Results, names: Iterable[str]) -> dict[str, Arms]:
    """Returns {name: {arm: results}} for the conditions `names`. The name STUDY means the study's own test."""
    conditions = results.get("conditions", {})
    return {name: results["arms"] if name == STUDY else conditions[name] for name in names}


def plots(results: Results, settings: Mapping[str, object]) -> list[TitledPlot]:
    """Returns a plot for each curve, and one plot for all conditions that are on no curve."""
    if not results.get("conditions"):
        return []
    metric, baselines = results["metrics"][0], results.get("baselines", {})
    found = sweeps(settings_of(results, settings), section(settings, "evaluation"))
    drawn: list[TitledPlot] = []
    for sweep in found:
        rows = figures(results, [name for _, name in sweep.points])
        lines = _lines(results, metric, [(x, rows[name]) for x, name in sweep.points])
        heading = "By the place of gold" if sweep.field == "gold_at" else f"By {sweep.axis}"
        drawn.append({"title": heading, "svg": curves.curves(lines, metric, sweep.axis, baselines)})
    on_curves = {name for sweep in found for _, name in sweep.points} - {STUDY}
    if rest := [name for name in results["conditions"] if name not in on_curves]:
        names = {float(place): name for place, name in enumerate([STUDY, *rest])}
        rows = figures(results, names.values())
        lines = _lines(results, metric, [(place, rows[name]) for place, name in names.items()])
        svg = curves.curves(lines, metric, "condition", baselines, ticks=names)
        drawn.append({"title": "By condition", "svg": svg})
    return drawn


def _lines(results: Results, metric: str, points: Sequence[tuple[float, Arms]]) -> curves.Lines:
    return {
        arm: [(x, arms[arm]["metrics"][metric]) for x, arms in points if arm in arms and metric in arms[arm]["metrics"]]
        for arm in arms_of(results)
    }
