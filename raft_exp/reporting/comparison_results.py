"""The structure of `comparison.json`: several runs, grouped by setting (runs that differ only in their seed)."""

from typing import NotRequired, TypedDict

from raft_exp.evaluation.results import PairedDifference, Primary, SeedFigures, Summary


class SettingResult(TypedDict):
    """One setting: its figures over all its seeds."""

    name: str
    values: dict[str, object]  # dotted name of a field that differs between the settings -> value
    runs: dict[str, str]  # seed -> name of the run folder
    arms: dict[str, Summary]
    conditions: dict[str, dict[str, Summary]]  # condition -> arm
    slices: dict[str, dict[str, dict[str, Summary]]]  # slice -> value -> arm; the main metric only
    seeds: dict[str, dict[str, SeedFigures]]  # arm or arm@condition -> metric


class SettingComparison(PairedDifference):
    """A difference: `arm_a` in setting `a` minus `arm_b` in setting `b`, over the n questions of `seeds`."""

    a: str
    arm_a: str
    b: str
    arm_b: str
    n: int
    seeds: list[str]
    method: str  # of the interval and the test
    df: float | None  # degrees of freedom; None for one seed: the comparison is then about one training


class EqualReplies(TypedDict):
    """An arm whose replies are the same in the settings `a` and `b`, so that the arm is not compared between them."""

    a: str
    b: str
    arm: str


class ComparisonResults(TypedDict):
    """The content of `comparison.json`.

    The file also has the key `equal`: the settings that are the same in all runs.
    """

    metrics: list[str]  # that all runs have, the main metric first
    reference: str  # the arm that the comparison is about
    primary: NotRequired[Primary]  # of a single setting: the contrast that was fixed before the runs
    trained: list[str]  # the arms that the runs train
    settings: list[SettingResult]
    comparisons: list[SettingComparison]
    condition_comparisons: dict[str, list[SettingComparison]]  # by condition; the main metric only
    # by condition; metrics of refusals and of false passages, for conditions that have them
    special_comparisons: dict[str, list[SettingComparison]]
    slice_comparisons: dict[str, dict[str, list[SettingComparison]]]  # slice -> value; the main metric only
    same: list[EqualReplies]
    same_questions: list[list[str]]  # the settings, grouped by their test questions
    apart: list[str]  # a line for each pair of settings that cannot be compared
    verdict: str
