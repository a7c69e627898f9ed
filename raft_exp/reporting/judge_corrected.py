"""A judge's figures corrected by labels: computes them for results.json, and formats them for pages and terminal."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from raft_exp.evaluation.judge import figures
from raft_exp.evaluation.judge.corrected import agreement, corrected, labelled_tasks
from raft_exp.evaluation.judge.labels import label_id, usable_labels
from raft_exp.evaluation.judge.rows import read_judgements
from raft_exp.evaluation.judge.stage import SUMMARY, JudgeSummary
from raft_exp.evaluation.results import (
    Agreement,
    Corrected,
    CorrectedComparison,
    CorrectedFigure,
    JudgeErrors,
    JudgeResults,
    Prediction,
    Results,
)
from raft_exp.evaluation.statistics import FEWEST_LABELS
from raft_exp.reporting.formats import percent, points
from raft_exp.reporting.judge_tables import task_title
from raft_exp.reporting.tables import NONE


def add_corrected(
    results: Results, path: Path, judgements: Mapping[str, Path], rows: Mapping[str, Sequence[Prediction]]
) -> None:
    """Adds the entries `corrected` and `agreement` to the judge's results.

    `path`: the file of the labels. `judgements`: arm -> result folder of its stage `judge`. `rows`: arm -> its
    predictions. Raises DataError, which names the line, for labels that do not fit the study.
    """
    summaries = [_summary(folder) for folder in judgements.values()]
    of_claims = {task: task in summary["claims"] for summary in summaries for task in summary["versions"]}
    values = {arm: figures.by_task(read_judgements(folder)) for arm, folder in judgements.items()}
    by_task = {task: {arm: of_arm[task] for arm, of_arm in values.items() if task in of_arm} for task in of_claims}
    replies = {label_id(arm, row["id"], row["raw"]): (arm, row["id"]) for arm, of_arm in rows.items() for row in of_arm}
    tasks = labelled_tasks(path, usable_labels(path, of_claims), replies, by_task)
    labelled = [task for task in tasks if any(task.labels.values())]
    results["judge"]["corrected"] = corrected(labelled, results["reference"], results["seed"])
    results["judge"]["agreement"] = {task.task: agreement(task, results["seed"]) for task in labelled}


def _summary(folder: Path) -> JudgeSummary:
    summary: JudgeSummary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return summary


class CorrectedRow(TypedDict):
    """A row of the table of corrected figures: one arm in one task."""

    arm: str
    raw: str
    corrected: str
    interval: str
    n: str
    labels: str
    errors: str  # labelled replies for which the judge's value is too high, and too low
    difference: str  # the reference arm minus this arm, in points; "" for the reference arm
    difference_interval: str


class CorrectedTask(TypedDict):
    """The rows of one task, and the judge's agreement with the labels."""

    title: str
    agreement: str
    rows: list[CorrectedRow]


class CorrectedView(TypedDict):
    """The section on corrected figures. Without labels, `tasks` is empty."""

    tasks: list[CorrectedTask]
    too_few: str  # a sentence about the arms with too few labels; "" if there are none


def view(results: Results) -> CorrectedView:
    """Returns the section on corrected figures."""
    judge = results.get("judge")
    found = judge.get("corrected") if judge else None
    if judge is None or found is None:
        return {"tasks": [], "too_few": ""}
    agreed = judge.get("agreement", {})
    tasks: list[CorrectedTask] = [
        {
            "title": task_title(task),
            "agreement": _agreement(agreed[task]),
            "rows": list(_rows(judge, found, task, agreed[task]["arms"])),
        }
        for task in agreed
    ]
    return {"tasks": tasks, "too_few": _too_few(found)}


def _rows(
    judge: JudgeResults, found: Corrected, task: str, errors: Mapping[str, JudgeErrors]
) -> Iterator[CorrectedRow]:
    compared = {row["b"]: row for row in found["comparisons"] if row["metric"] == task}
    few = found["too_few"].get(task, {})
    for arm, raw in judge["tasks"][task].items():
        figure, row = found["arms"].get(task, {}).get(arm), compared.get(arm)
        wrong = errors[arm]
        yield {
            "arm": arm,
            "raw": NONE if raw["value"] is None else percent(raw["value"]),
            "corrected": percent(figure["value"]) if figure else NONE,
            "interval": _interval(figure) if figure else "too few labels",
            "n": f"{figure['n']:,}" if figure else f"{raw['n'] + raw['missing']:,}",
            "labels": f"{figure['labels'] if figure else few.get(arm, 0):,}",
            "errors": f"{wrong['higher']} too high, {wrong['lower']} too low",
            "difference": points(row["difference"]) if row else "",
            "difference_interval": f"{points(row['low'])} to {points(row['high'])}" if row else "",
        }


def _interval(figure: CorrectedFigure) -> str:
    return f"{percent(figure['low'])}{NONE}{percent(figure['high'])}"


def _agreement(found: Agreement) -> str:
    kappa, low, high = found["kappa"], found["low"], found["high"]
    if not found["n"]:
        return "kappa is not defined: no labelled reply has a judgement"
    if kappa is None or low is None or high is None:
        return f"kappa is not defined: all of {found['n']:,} judgements and labels are equal"
    return f"kappa {kappa:.2f} ({low:.2f} to {high:.2f}), {found['n']:,} labels"


def _too_few(found: Corrected) -> str:
    few = [f"{task}: {_counts(arms)}" for task, arms in found["too_few"].items()]
    if not few:
        return ""
    return (
        f"Not corrected, because an arm needs at least {FEWEST_LABELS} labels ({'; '.join(few)}). "
        "python -m raft_exp.label RUN with a larger n adds replies to the sheet."
    )


def _counts(arms: Mapping[str, int]) -> str:
    return ", ".join(f"{arm} has {count}" for arm, count in arms.items())


def lines(results: Results) -> list[str]:
    """Returns the corrected figures as lines for the terminal; [] without labels.

    There is a line for each task, then a line that names the arms with too few labels, if any.
    """
    judge = results.get("judge")
    if judge is None or "corrected" not in judge:
        return []
    found = judge["corrected"]
    texts = [
        f"Corrected by labels, {task_title(task)}: {_of_arms(arms)}{_of_differences(found['comparisons'], task)}; "
        f"judge and labels: {_agreement(judge['agreement'][task])}."
        for task, arms in found["arms"].items()
    ]
    return [*texts, *filter(None, [_too_few(found)])]


def _of_arms(arms: Mapping[str, CorrectedFigure]) -> str:
    return ", ".join(f"{arm} {percent(one['value'])}% ({_interval(one)})" for arm, one in arms.items())


def _of_differences(rows: Iterable[CorrectedComparison], task: str) -> str:
    shown = [
        f"{row['a']} minus {row['b']} {points(row['difference'])} ({points(row['low'])} to {points(row['high'])})"
        for row in rows
        if row["metric"] == task
    ]
    return f"; {', '.join(shown)}" if shown else ""
