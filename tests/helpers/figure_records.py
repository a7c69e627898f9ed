"""The figures of a results.json, of one run or of several, as a flat list."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from raft_exp.reporting.facts import text


@dataclass(frozen=True)
class Record:
    """A figure, a seed's figure, or a comparison, with the labels under which a table may show it."""

    kind: str  # figure | seed | comparison
    arms: tuple[str, ...]  # `<arm>` or `<arm>@<condition>`; both sides of a comparison
    settings: tuple[frozenset[str], ...]  # the names of each side's setting
    metric: str
    numbers: Mapping[str, float]  # value low high n; or difference low high p p_holm n
    seed: str = ""
    part: tuple[str, str] = ("", "")  # slice and its value


def records(results: Mapping[str, Any]) -> list[Record]:
    """All figures of the results.json of one run or of several."""
    return list(_of_runs(results) if "settings" in results else _of_run(results))


def _of_run(results: Mapping[str, Any]) -> Iterator[Record]:
    one = frozenset({"as run"})
    yield from _figures(results["arms"], "", one)
    for condition, arms in results.get("conditions", {}).items():
        yield from _figures(arms, condition, one)
    for name, values in results.get("slices", {}).items():
        for value, arms in values.items():
            yield from _figures(arms, "", one, (name, value))
    for row in results["comparisons"]:
        yield _comparison({**row, "arm_a": row["a"], "arm_b": row["b"]}, "", (one, one))


def _of_runs(results: Mapping[str, Any]) -> Iterator[Record]:
    alone = frozenset({"as run"} if len(results["settings"]) == 1 else ())
    names = {entry["name"]: _setting_names(entry) | alone for entry in results["settings"]}
    for entry in results["settings"]:
        known = names[entry["name"]]
        yield from _figures(entry["arms"], "", known)
        for condition, arms in entry["conditions"].items():
            yield from _figures(arms, condition, known)
        for name, values in entry["slices"].items():
            for value, arms in values.items():
                yield from _figures(arms, "", known, (name, value))
        for label, metrics in entry["seeds"].items():
            for metric, figure in metrics.items():
                for seed, number in figure["values"].items():
                    yield Record("seed", (label,), (known,), metric, {"value": number}, seed)
    groups = [("", ("", ""), results["comparisons"])]
    groups += [(name, ("", ""), rows) for name, rows in results["condition_comparisons"].items()]
    groups += [(name, ("", ""), rows) for name, rows in results.get("special_comparisons", {}).items()]
    for name, values in results["slice_comparisons"].items():
        groups += [("", (name, value), rows) for value, rows in values.items()]
    for condition, part, rows in groups:
        for row in rows:
            yield _comparison(row, condition, (names[row["a"]], names[row["b"]]), part)


def _figures(
    arms: Mapping[str, Any], condition: str, names: frozenset[str], part: tuple[str, str] = ("", "")
) -> Iterator[Record]:
    for arm, summary in arms.items():
        for metric, figure in summary["metrics"].items():
            numbers = {"n": summary["n"], **{name: figure[name] for name in ("value", "low", "high")}}
            yield Record("figure", (_label(arm, condition),), (names,), metric, numbers, part=part)


def _comparison(
    row: Mapping[str, Any],
    condition: str,
    names: tuple[frozenset[str], frozenset[str]],
    part: tuple[str, str] = ("", ""),
) -> Record:
    arms = (_label(row["arm_a"], condition), _label(row["arm_b"], condition))
    numbers = {"difference": row["difference"], "low": row["low"], "high": row["high"]}
    numbers |= {"p": row["p_value"], "p_holm": row["p_value_holm"], "n": row.get("n", 0)}
    return Record("comparison", arms, names, row["metric"], numbers, part=part)


def _label(arm: str, condition: str) -> str:
    return f"{arm}@{condition}" if condition else arm


def _setting_names(entry: Mapping[str, Any]) -> frozenset[str]:
    """The name of a setting; of one that differs in one field also the value alone, and `anything=value`."""
    values = [text(value) for value in entry["values"].values()]
    return frozenset({entry["name"], *(values if len(values) == 1 else ())})
