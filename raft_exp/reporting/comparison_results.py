"""The structure of `comparison.json`: several runs, grouped by setting (runs that differ only in their seed)."""

from typing import TypedDict

from raft_exp.evaluation.results import PairedDifference, SeedFigures, Summary


class SettingResult(TypedDict):
    """One setting: its figures over the questions of all its seeds."""

    name: str
    values: dict[str, object]  # of the settings that differ, by dotted name
    runs: dict[str, str]  # seed -> run folder
    arms: dict[str, Summary]
    conditions: dict[str, dict[str, Summary]]  # condition -> arm; the main metric only
    seeds: dict[str, dict[str, SeedFigures]]  # arm -> metric


class SettingComparison(PairedDifference):
    """`arm_a` of setting `a` minus `arm_b` of setting `b`, over n questions of these seeds."""

    a: str
    arm_a: str
    b: str
    arm_b: str
    n: int
    seeds: list[str]


class EqualReplies(TypedDict):
    """An arm with the same replies in the settings `a` and `b`, so that they need no comparison."""

    a: str
    b: str
    arm: str


class ComparisonResults(TypedDict):
    """`comparison.json`, which has the settings that are equal in all runs (`equal`) as well."""

    metrics: list[str]  # of all runs, the main one first
    reference: str  # the arm that the comparison is about
    settings: list[SettingResult]
    comparisons: list[SettingComparison]
    same: list[EqualReplies]
    apart: list[str]  # a line for each pair of settings that cannot be compared
    verdict: str
