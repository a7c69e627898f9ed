"""Groups runs by setting: runs in one group differ only in their seed."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from raft_exp.core.errors import DataError
from raft_exp.reporting.facts import text
from raft_exp.reporting.paths import without_folders
from raft_exp.reporting.runs import ABSENT, ASKED, Replies, Run

_LONGEST = 80  # largest number of characters of a name that is made of values


@dataclass(frozen=True)
class RunGroup:
    """Runs that differ only in their seed.

    `values`: field that differs between the groups -> its value in this group. Paths are shortened to their last part.
    """

    name: str
    values: Mapping[str, object]
    runs: Mapping[str, Run]  # by seed
    named_by_run: bool = False  # True: `values` are too long for a name, or look equal

    @property
    def arms(self) -> list[str]:
        """The arms that all runs have."""
        runs = list(self.runs.values())
        return [arm for arm in runs[0].results["arms"] if all(arm in run.results["arms"] for run in runs)]

    @property
    def reference(self) -> str:
        """The reference arm of the runs."""
        return next(iter(self.runs.values())).results["reference"]

    @property
    def conditions(self) -> list[str]:
        """The conditions that have results, and the same settings, in all runs."""
        runs = list(self.runs.values())
        return [
            name
            for name in runs[0].results["conditions"]
            if all(
                name in run.results["conditions"] and run.conditions.get(name) == runs[0].conditions.get(name)
                for run in runs
            )
        ]

    @cached_property
    def _replies(self) -> dict[tuple[str, str], Replies]:
        return {}

    def replies(self, label: str, seed: str) -> Replies:
        """Returns the graded replies of `<arm>` or `<arm>@<condition>`; the file is read once."""
        if (label, seed) not in self._replies:
            self._replies[label, seed] = self.runs[seed].replies(label)
        return self._replies[label, seed]


def settings(runs: Sequence[Run]) -> tuple[list[RunGroup], dict[str, object]]:
    """Returns the groups, and the settings that are equal in all runs.

    The groups are ordered by the numbers in which they differ, then by the order of the runs. A setting is ignored if
    some runs (of another version) lack it. Settings that change no result (`ASKED`) distinguish groups only if two runs
    with the same seed are equal otherwise. Raises DataError for two runs with equal settings and the same seed.
    """
    names = dict.fromkeys(name for run in runs for name in run.fields)
    values = {name: [run.setting(name) for run in runs] for name in names}
    known = {name: of_runs for name, of_runs in values.items() if ABSENT not in of_runs and not _nested(of_runs)}
    varying = [name for name, of_runs in known.items() if len(set(map(_key, of_runs))) > 1]
    groups = _grouped(runs, varying)
    if groups is None:
        varying += [name for name in ASKED if len({_key(run.setting(name)) for run in runs}) > 1]
        groups = _grouped(runs, varying)
    if groups is None:
        raise DataError(f"{_twice(runs, varying)} have equal settings and the same seed; give only one of them")
    ordered = [_group(varying, group) for group in groups]
    ordered.sort(key=lambda group: [_order(value) for value in group.values.values()])
    return named(ordered), {name: known[name][0] for name in known if name not in varying}


def _grouped(runs: Sequence[Run], fields: Sequence[str]) -> list[dict[str, Run]] | None:
    """Groups the runs by the values of `fields`, as {seed: run}; None if two runs have the same values and seed."""
    groups: dict[str, dict[str, Run]] = {}
    for run in runs:
        group = groups.setdefault(_values(run, fields), {})
        if run.seed in group:
            return None
        group[run.seed] = run
    return list(groups.values())


def _twice(runs: Sequence[Run], fields: Sequence[str]) -> str:
    seen: dict[tuple[str, str], Run] = {}
    for run in runs:
        first = seen.setdefault((_values(run, fields), run.seed), run)
        if first is not run:
            return f"{first.folder} and {run.folder}"
    raise AssertionError("no two runs have the same values and seed")


def _values(run: Run, fields: Sequence[str]) -> str:
    return _key([run.setting(name) for name in fields])


def _nested(values: Sequence[object]) -> bool:
    return any(isinstance(value, dict) for value in values)  # a group: its fields are compared one by one


def numeric(groups: Sequence[RunGroup]) -> list[str]:
    """Returns the fields that differ between the groups and have a number in every group, i.e. the swept numbers."""
    fields = list(groups[0].values)
    return [name for name in fields if all(number(group.values[name]) is not None for group in groups)]


def number(value: object) -> float | None:
    """Returns a setting as float; None if it is not a number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _group(fields: Sequence[str], group: Mapping[str, Run]) -> RunGroup:
    run = next(iter(group.values()))
    values = {name: run.setting(name) for name in fields}
    ends = [name.rpartition(".")[2] for name in dict.fromkeys([*run.fields, *ASKED, *fields])]
    short = {name: end if ends.count(end := name.rpartition(".")[2]) == 1 else name for name in fields}
    shown = without_folders(values)
    name = ", ".join(f"{short[field]}={text(value)}" for field, value in shown.items())
    in_order = sorted(group, key=lambda seed: (len(seed), seed))
    return RunGroup(name, shown, {seed: group[seed] for seed in in_order})


def named(groups: Sequence[RunGroup]) -> list[RunGroup]:
    """Returns the groups with distinct names for readers: the values of a group if short, else the name of its runs."""
    names = [group.name for group in groups]
    if _all_differ(names) and all(0 < len(name) <= _LONGEST and name.isprintable() for name in names):
        return list(groups)
    by_run = next(filter(_all_differ, ([name_of(group) for group in groups] for name_of in _RUN_NAMES)))
    return [replace(group, name=name, named_by_run=True) for group, name in zip(groups, by_run, strict=True)]


def _all_differ(names: Sequence[str]) -> bool:
    return len(set(names)) == len(names)


def _by_sweep(group: RunGroup) -> str:
    """Returns the sweep's folder if all runs are jobs of one sweep, else the name by `_by_first_run`."""
    sweeps = {run.name.rpartition("/")[0] for run in group.runs.values()}
    return sweeps.pop() if len(sweeps) == 1 < len(group.runs) and "" not in sweeps else _by_first_run(group)


def _by_first_run(group: RunGroup) -> str:
    return _with_seeds(next(iter(group.runs.values())).name, group)


def _by_digest(group: RunGroup) -> str:
    """Returns the name by `_by_first_run` with six digits of a digest, for folders with equal names."""
    folder = next(iter(group.runs.values())).folder.resolve()
    return f"{_by_first_run(group)} ({hashlib.sha256(str(folder).encode()).hexdigest()[:6]})"


def _with_seeds(name: str, group: RunGroup) -> str:
    others = len(group.runs) - 1
    return f"{name} and {others} more seed{'s' * (others > 1)}" if others else name


_RUN_NAMES: tuple[Callable[[RunGroup], str], ...] = (_by_sweep, _by_first_run, _by_digest)


def _order(value: object) -> tuple[int, float]:
    place = number(value)
    return (1, 0.0) if place is None else (0, place)  # other values keep the order of the runs


def _key(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
