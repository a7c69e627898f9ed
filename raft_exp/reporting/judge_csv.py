"""The figures of a judge as rows of results.csv and comparisons.csv."""

from collections.abc import Iterator, Mapping

from raft_exp.evaluation.results import CorrectedFigure, JudgeFigure, Results


def judge_rows(results: Results) -> Iterator[Mapping[str, object]]:
    """Yields a row for each figure of a judge, named judge_TASK, or judge_TASK_corrected if labels correct it."""
    if "judge" not in results:
        return
    judge = results["judge"]
    corrected = judge["corrected"]["arms"] if "corrected" in judge else {}
    for task, arms in judge["tasks"].items():
        for arm, raw in arms.items():
            yield _row(arm, f"judge_{task}", raw)
        for arm, figure in corrected.get(task, {}).items():
            yield _row(arm, f"judge_{task}_corrected", figure)


def _row(arm: str, metric: str, figure: JudgeFigure | CorrectedFigure) -> Mapping[str, object]:
    values = {"value": figure["value"], "low": figure["low"], "high": figure["high"]}  # None: an empty cell
    return {"arm": arm, "metric": metric, "n": figure["n"], **values}


def judge_comparison_rows(results: Results) -> Iterator[Mapping[str, object]]:
    """Yields a row for each difference of two arms by a judge, with the metrics of `judge_rows`."""
    if "judge" not in results:
        return
    judge = results["judge"]
    for row in judge["comparisons"]:
        yield {**row, "metric": f"judge_{row['metric']}"}
    for corrected in judge["corrected"]["comparisons"] if "corrected" in judge else ():
        yield {**corrected, "metric": f"judge_{corrected['metric']}_corrected"}
