"""Paired comparisons of settings and arms on the same questions, seed by seed."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.results import Primary
from raft_exp.evaluation.statistics import compare, compare_over_seeds, generator, holm
from raft_exp.evaluation.statistics.paired import Difference
from raft_exp.reporting.comparison_results import EqualReplies, SettingComparison
from raft_exp.reporting.pooling import STUDY, T_OVER_SEEDS, Observed, Part, arms_under, observed, seeds_of, slice_values
from raft_exp.reporting.settings import RunGroup

ALL_PAIRS = 8  # number of settings; with more, each setting is compared only with the first
_MCNEMAR, _PERMUTATION = "paired bootstrap, exact McNemar test", "paired bootstrap, permutation test"

Rows = list[SettingComparison]


def comparisons(
    groups: Sequence[RunGroup], metrics: Sequence[str], primary: Primary | None
) -> tuple[Rows, list[EqualReplies], list[str]]:
    """Compares the arms within each setting and between settings. Returns three lists:

    - the comparisons, with p-values corrected (Holm) over all comparisons of one metric;
    - the arms with equal replies in two settings, which are not compared;
    - a line for each pair of settings that cannot be compared, with the reason.

    `primary`: the contrast that was fixed before the runs. Holm's correction leaves it out.
    """
    within, apart = _within(groups, metrics, STUDY), list[str]()
    between, same = Rows(), list[EqualReplies]()
    for a, b in _pairs(groups):
        if why := _not_comparable(a, b):
            apart.append(why)
            continue
        between += _between(a, b, metrics, STUDY)
        same += [
            {"a": a.name, "b": b.name, "arm": arm}
            for arm in _arms_of_both(a, b, STUDY)
            if _equal(a, b, arm, arm, STUDY)
        ]
    rows = [*within, *between]
    for metric in metrics:
        correct(row for row in rows if row["metric"] == metric and not _is_primary(row, primary))
    return rows, same, apart


def same_questions(groups: Sequence[RunGroup]) -> list[list[str]]:
    """Returns groups of names: the settings of a group have the same test questions (over all seeds)."""
    found: dict[frozenset[str], list[str]] = {}
    for group in groups:
        asked = frozenset[str]().union(*(group.replies(group.arms[0], seed).questions for seed in group.runs))
        found.setdefault(asked, []).append(group.name)
    return list(found.values())


def under_conditions(groups: Sequence[RunGroup], metrics: Sequence[str]) -> dict[str, Rows]:
    """Returns {condition: comparisons in those of `metrics` that were measured under the condition}.

    Holm's correction covers one metric of one condition at a time.
    """
    found = {}
    for name in dict.fromkeys(name for group in groups for name in group.conditions):
        part, have = Part(condition=name), [group for group in groups if name in group.conditions]
        rows = _within(have, metrics, part)
        for a, b in _pairs(have):
            if _condition(a, name) == _condition(b, name):
                rows += _between(a, b, metrics, part)
        found[name] = [row for metric in metrics for row in correct(each for each in rows if each["metric"] == metric)]
    return {name: rows for name, rows in found.items() if rows}


def by_slice(groups: Sequence[RunGroup], metric: str) -> dict[str, dict[str, Rows]]:
    """Returns {slice: {value: comparisons of the arms within each setting, in `metric`}}.

    Holm's correction covers one slice at a time.
    """
    found: dict[str, dict[str, Rows]] = {}
    for group in groups:
        for name, values in slice_values(group).items():
            for value in values:
                rows = _within([group], [metric], Part(slice=(name, value)))
                found.setdefault(name, {}).setdefault(value, []).extend(rows)
    for values_of in found.values():
        correct(row for rows in values_of.values() for row in rows)
    return found


def correct(rows: Iterable[SettingComparison]) -> Rows:
    """Sets `p_value_holm` of the rows by Holm's correction over all of them; returns the rows."""
    family = list(rows)
    for row, p_value in zip(family, holm([row["p_value"] for row in family]), strict=True):
        row["p_value_holm"] = p_value
    return family


def _is_primary(row: SettingComparison, primary: Primary | None) -> bool:
    return primary is not None and (row["metric"], row["arm_a"], row["arm_b"]) == (
        primary["metric"],
        primary["arm"],
        primary["against"],
    )


def _within(groups: Sequence[RunGroup], metrics: Sequence[str], part: Part) -> Rows:
    """Compares the reference arm of each setting with each other arm: reference arm minus other arm."""
    return [
        row
        for group in groups
        for other in _arms(group, part)
        if other != group.reference and group.reference in _arms(group, part)
        for row in _paired(group, group, (group.reference, other), metrics, part)
    ]


def _between(a: RunGroup, b: RunGroup, metrics: Sequence[str], part: Part) -> Rows:
    """Compares the arms that both settings have, and the two reference arms if their names differ.

    Arms with equal replies in both settings are skipped. Metrics of wording are skipped if the two settings compare the
    replies with different texts.
    """
    metrics = [metric for metric in metrics if not METRICS[metric].of_wording or _same_references(a, b)]
    arms = [(arm, arm) for arm in _arms_of_both(a, b, part)]
    if a.reference != b.reference and a.reference in _arms(a, part) and b.reference in _arms(b, part):
        arms.append((a.reference, b.reference))
    return [row for pair in arms if not _equal(a, b, *pair, part) for row in _paired(a, b, pair, metrics, part)]


def _same_references(a: RunGroup, b: RunGroup) -> bool:
    return all(a.replies(a.arms[0], seed).references == b.replies(b.arms[0], seed).references for seed in _shared(a, b))


def _arms(group: RunGroup, part: Part) -> list[str]:
    return arms_under(group, part.condition) if part.condition else group.arms


def _arms_of_both(a: RunGroup, b: RunGroup, part: Part) -> list[str]:
    return [arm for arm in _arms(a, part) if arm in _arms(b, part)]


def _equal(a: RunGroup, b: RunGroup, left: str, right: str, part: Part) -> bool:
    return all(
        a.replies(part.label(left), seed).digest == b.replies(part.label(right), seed).digest for seed in _shared(a, b)
    )


def _pairs(groups: Sequence[RunGroup]) -> Iterator[tuple[RunGroup, RunGroup]]:
    """Yields pairs of settings as (later, earlier). A difference is the later setting minus the earlier one."""
    pairs = combinations(groups, 2) if len(groups) <= ALL_PAIRS else ((groups[0], other) for other in groups[1:])
    return ((later, earlier) for earlier, later in pairs)


def _shared(a: RunGroup, b: RunGroup) -> list[str]:
    return [seed for seed in a.runs if seed in b.runs]


def _condition(group: RunGroup, name: str) -> object:
    return next(iter(group.runs.values())).conditions.get(name)


def _not_comparable(a: RunGroup, b: RunGroup) -> str:
    """Returns one line with the reason why two settings cannot be compared; "" if they can."""
    if not _shared(a, b):
        return f"{a.name} and {b.name} are not compared: they have no seed in common"
    for seed in _shared(a, b):
        first, second = (group.replies(group.arms[0], seed).questions for group in (a, b))
        if first != second:
            return f"{a.name} and {b.name} are not compared: their test questions differ (seed {seed})"
    return ""


def _paired(a: RunGroup, b: RunGroup, arms: tuple[str, str], metrics: Sequence[str], part: Part) -> Rows:
    """Returns the comparison of two arms in each metric. `p_value_holm` is not corrected yet."""
    rows = Rows()
    for metric in metrics:
        seeds = {
            seed: (observed(a, arms[0], metric, seed, part), observed(b, arms[1], metric, seed, part))
            for seed in seeds_of(a, part)
            if seed in b.runs
        }
        seeds = {seed: pair for seed, pair in seeds.items() if any(pair)}
        if seeds and all(left.keys() == right.keys() for left, right in seeds.values()):
            pair, method, df = _difference(metric, list(seeds.values()), (a.name, b.name, *arms))
            rows.append(
                {
                    "a": a.name,
                    "arm_a": arms[0],
                    "b": b.name,
                    "arm_b": arms[1],
                    "metric": metric,
                    "n": len({name for left, _ in seeds.values() for name in left}),
                    "seeds": list(seeds),
                    "method": method,
                    "df": df,
                    **pair.as_figures(),
                }
            )
    return rows


def _difference(
    metric: str, seeds: Sequence[tuple[Observed, Observed]], names: Sequence[str]
) -> tuple[Difference, str, float | None]:
    """Returns the difference, the name of the method, and the degrees of freedom (None for one seed)."""
    if len(seeds) > 1:
        over = compare_over_seeds(METRICS[metric], [left for left, _ in seeds], [right for _, right in seeds])
        return over, T_OVER_SEEDS, over.df
    left, right = seeds[0]
    random = generator(0, metric, *names)
    alone = compare(METRICS[metric], list(left.values()), [right[name] for name in left], random)
    return alone, _MCNEMAR if METRICS[metric].share else _PERMUTATION, None
