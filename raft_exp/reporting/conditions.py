"""Which conditions are points of one curve: those that differ in one number and in nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raft_exp.reporting.plots import curves
from raft_exp.reporting.verdict import title

STUDY = "as in the study"
_AXES = {
    "num_distractors": "distractors in the context",
    "k": "retrieved passages in the context (k)",
    "gold_at": "place of the gold passage (0 is the first)",
}
_CONTEXTS = {"num_distractors": ("gold_and_distractors",), "k": ("retrieved",)}  # where the number means something

Arms = Mapping[str, Any]  # arm -> {n, metrics}


@dataclass(frozen=True)
class Sweep:
    """Conditions ordered by the number that they change; `rest` is what they change alike, "" for nothing."""

    field: str
    rest: str
    points: Sequence[tuple[float, str]]  # number, name of the condition

    @property
    def axis(self) -> str:
        """What the number is, for readers."""
        return _AXES.get(self.field, self.field) + (f", {self.rest}" if self.rest else "")


def sweeps(settings: Mapping[str, Mapping[str, Any]], study: Mapping[str, Any]) -> list[Sweep]:
    """The curves that these conditions make; `study` is the study's own evaluation settings, a point where it fits."""
    groups: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for name, changed in [(STUDY, _own(study)), *settings.items()]:
        for field in _AXES:
            number = changed.get(field)
            if isinstance(number, int | float) and not isinstance(number, bool):
                others = {key: value for key, value in changed.items() if key != field and value != study.get(key)}
                others = {} if name == STUDY else others  # its other numbers are what the conditions change
                told = ", ".join(f"{key} {value}" for key, value in sorted(others.items()))
                groups.setdefault((field, told), []).append((float(number), name))
    found, taken = [], set[str]()
    for (field, rest), points in sorted(groups.items(), key=lambda group: -len(group[1])):
        free = {number: name for number, name in sorted(points) if name not in taken or name == STUDY}
        if len(free) > 1 and any(name != STUDY for name in free.values()):
            found.append(Sweep(field, rest, list(free.items())))
            taken |= set(free.values())
    return found


def _own(study: Mapping[str, Any]) -> dict[str, Any]:
    fields = (field for field in _AXES if study.get("context") in _CONTEXTS.get(field, (study.get("context"),)))
    return {field: study[field] for field in fields if study.get(field) is not None}


def settings_of(results: Mapping[str, Any], settings: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """What each condition changes, of those that have results."""
    told = results.get("condition_settings") or settings.get("evaluation", {}).get("conditions") or {}
    return {name: told.get(name, {}) for name in results.get("conditions", {})}


def ordered(results: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """The names of the conditions for a table: each curve in the order of its numbers, then the rest."""
    found = sweeps(settings_of(results, settings), settings.get("evaluation", {}))
    names = [name for sweep in found for _, name in sweep.points if name != STUDY]
    return [*dict.fromkeys([*names, *results.get("conditions", {})])]


def arms_of(results: Mapping[str, Any]) -> list[str]:
    """The arms that were asked under conditions: those that see passages."""
    found = results.get("conditions", {})
    return [name for name in results["arms"] if any(name in row for row in found.values())]


def figures(results: Mapping[str, Any], names: Iterable[str]) -> dict[str, Arms]:
    """{condition: its arms}, the study's own under its name for readers."""
    found = results.get("conditions", {})
    return {name: results["arms"] if name == STUDY else found[name] for name in names}


def plots(results: Mapping[str, Any], settings: Mapping[str, Any]) -> list[dict[str, str]]:
    """A picture for each curve, and one by name for the conditions that are on no curve."""
    if not results.get("conditions"):
        return []
    metric = results["metrics"][0]
    found = sweeps(settings_of(results, settings), settings.get("evaluation", {}))
    made = []
    for sweep in found:
        rows = figures(results, [name for _, name in sweep.points])
        lines = _lines(results, metric, [(x, rows[name]) for x, name in sweep.points])
        heading = "By the place of gold" if sweep.field == "gold_at" else f"By {sweep.axis}"
        made.append({"title": heading, "svg": curves.curves(lines, metric, sweep.axis, results)})
    on_curves = {name for sweep in found for _, name in sweep.points} - {STUDY}
    if rest := [name for name in results["conditions"] if name not in on_curves]:
        names = {float(place): name for place, name in enumerate([STUDY, *rest])}
        rows = figures(results, names.values())
        lines = _lines(results, metric, [(place, rows[name]) for place, name in names.items()])
        svg = curves.curves(lines, metric, "condition", results, ticks=names)
        made.append({"title": f"{title(metric)} under other conditions", "svg": svg})
    return made


def _lines(results: Mapping[str, Any], metric: str, points: Sequence[tuple[float, Arms]]) -> curves.Lines:
    return {
        arm: [(x, row[arm]["metrics"][metric]) for x, row in points if metric in row.get(arm, {}).get("metrics", {})]
        for arm in arms_of(results)
    }
