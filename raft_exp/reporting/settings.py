"""What differs between runs: the settings that were compared, each with the runs of its seeds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from raft_exp.core.errors import DataError
from raft_exp.reporting.facts import text
from raft_exp.reporting.runs import ABSENT, ASKED, Replies, Run


@dataclass(frozen=True)
class RunGroup:
    """Runs that differ in their seed alone. `values` are those of the fields that differ between settings."""

    name: str
    values: Mapping[str, Any]
    runs: Mapping[str, Run]  # by seed

    @property
    def arms(self) -> list[str]:
        """The arms that all its runs have."""
        runs = list(self.runs.values())
        return [arm for arm in runs[0].results["arms"] if all(arm in run.results["arms"] for run in runs)]

    @property
    def reference(self) -> str:
        """The arm that its runs compare the others with."""
        return str(next(iter(self.runs.values())).results["reference"])

    @property
    def conditions(self) -> list[str]:
        """The conditions that all its runs have results for."""
        runs = list(self.runs.values())
        return [
            name for name in runs[0].results["conditions"] if all(name in run.results["conditions"] for run in runs)
        ]

    @cached_property
    def _read(self) -> dict[tuple[str, str], Replies]:
        return {}

    def replies(self, label: str, seed: str) -> Replies:
        """Read once."""
        if (label, seed) not in self._read:
            self._read[label, seed] = self.runs[seed].replies(label)
        return self._read[label, seed]


def settings(runs: Sequence[Run]) -> tuple[list[RunGroup], dict[str, Any]]:
    """The settings in the order of their numbers, then of the runs; and what is equal in all.

    A setting that only some runs know (they are of another version) decides nothing and stands in neither.
    """
    names = dict.fromkeys(name for run in runs for name in run.fields)
    values = {name: [run.setting(name) for run in runs] for name in names}
    known = {name: found for name, found in values.items() if ABSENT not in found and not _inner(found)}
    varying = [name for name, found in known.items() if len(set(map(_key, found))) > 1]
    groups = _grouped(runs, varying)
    if groups is None:
        varying += [name for name in ASKED if len({_key(run.setting(name)) for run in runs}) > 1]
        groups = _grouped(runs, varying)
    if groups is None:
        raise DataError(f"{_twice(runs, varying)} differ in no setting and have one seed; give one of them")
    found = [_setting(varying, group) for group in groups]
    found.sort(key=lambda setting: [_order(value) for value in setting.values.values()])
    return found, {name: known[name][0] for name in known if name not in varying}


def _grouped(runs: Sequence[Run], fields: Sequence[str]) -> list[dict[str, Run]] | None:
    """Runs by seed for each combination of values; None where two runs would be the same."""
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
    raise AssertionError("only asked where two runs are the same")


def _values(run: Run, fields: Sequence[str]) -> str:
    return _key([run.setting(name) for name in fields])


def _inner(values: Sequence[Any]) -> bool:
    return any(isinstance(value, dict) for value in values)  # its parts stand for themselves


def numeric(found: Sequence[RunGroup]) -> list[str]:
    """The fields that differ and hold numbers alone: what was swept."""
    fields = list(found[0].values)
    return [name for name in fields if all(_number(setting.values[name]) for setting in found)]


def _setting(fields: Sequence[str], group: Mapping[str, Run]) -> RunGroup:
    run = next(iter(group.values()))
    values = {name: run.setting(name) for name in fields}
    ends = [name.rpartition(".")[2] for name in [*run.fields, *ASKED]]
    short = {name: end if ends.count(end := name.rpartition(".")[2]) == 1 else name for name in fields}
    name = ", ".join(f"{short[field]}={text(value)}" for field, value in values.items())
    in_order = sorted(group, key=lambda seed: (len(seed), seed))
    return RunGroup(name or "as run", values, {seed: group[seed] for seed in in_order})


def _order(value: Any) -> tuple[int, float]:
    return (0, float(value)) if _number(value) else (1, 0.0)  # what is no number keeps the order of the runs


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
