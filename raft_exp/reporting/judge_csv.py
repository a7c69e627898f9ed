"""The figures of a judge as rows of results.csv and comparisons.csv."""

from collections.abc import Iterator, Mapping
from typing import Literal

from raft_exp.evaluation.results import Results

_FIGURE: tuple[Literal["value", "low", "high"], ...] = ("value", "low", "high")


def judge_rows(results: Results) -> Iterator[Mapping[str, object]]:
    """Yields a row for each figure of a judge, named judge_TASK, or judge_TASK_corrected if labels correct it."""
    if "judge" not in results:
        return
    judge = results["judge"]
    for task, arms in judge["tasks"].items():
        for arm, raw in arms.items():
            values = {name: "" if raw[name] is None else raw[name] for name in _FIGURE}
            yield {"arm": arm, "metric": f"judge_{task}", **values, "n": raw["n"]}
    for task, by_arm in judge["corrected"]["arms"].items() if "corrected" in judge else ():
        for arm, figure in by_arm.items():
            values = {name: figure[name] for name in _FIGURE}
            yield {"arm": arm, "metric": f"judge_{task}_corrected", **values, "n": figure["n"]}


def judge_comparison_rows(results: Results) -> Iterator[Mapping[str, object]]:
    """Yields a row for each difference of two arms by a judge, with the metrics of `judge_rows`."""
    if "judge" not in results:
        return
    judge = results["judge"]
    for row in judge["comparisons"]:
        yield {**row, "metric": f"judge_{row['metric']}"}
    for corrected in judge["corrected"]["comparisons"] if "corrected" in judge else ():
        yield {**corrected, "metric": f"judge_{corrected['metric']}_corrected"}
