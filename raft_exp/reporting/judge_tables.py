"""The section on the judge in the pages of a study, its line on the terminal, and its missing values."""

from collections.abc import Iterator
from typing import TypedDict

from raft_exp.evaluation.results import Comparison, JudgeFigure, JudgeResults, Results
from raft_exp.reporting.formats import model_name, p_text, percent, points
from raft_exp.reporting.tables import NONE

MOST_MISSING = 0.05  # a larger share of missing values is a warning
_TITLES = {
    "correct": "correct",
    "supported": "claims that the passages support",
    "complete": "complete",
    "refusal": "right to answer, or to decline",
}


class JudgeRow(TypedDict):
    """A row of the table of judgements: one arm in one task."""

    arm: str
    share: str
    interval: str
    n: int
    missing: int
    difference: str  # the reference arm minus this arm, in points; "" for the reference arm
    difference_interval: str
    p_value: str  # after Holm's correction


class JudgeTask(TypedDict):
    """The rows of one task."""

    title: str
    rows: list[JudgeRow]


class PairRow(TypedDict):
    """A row of the table of preferences: two arms. See `evaluation.results.JudgedPair`."""

    a: str
    b: str
    share: str  # how often the judge prefers `a`
    interval: str
    n: int
    missing: int
    disagreed: int
    first_position: str


class JudgeView(TypedDict):
    """The section on the judge. Without a judge, `tasks` and `pairs` are empty, and the pages omit the section."""

    model: str
    versions: str
    spent: str
    tasks: list[JudgeTask]
    pairs: list[PairRow]


def task_title(task: str) -> str:
    """Returns the words for the figure of a task."""
    return _TITLES.get(task, task.replace("_", " "))


def view(results: Results) -> JudgeView:
    """Returns the section on the judge."""
    judge = results.get("judge")
    if judge is None:
        return {"model": "", "versions": "", "spent": "", "tasks": [], "pairs": []}
    return {
        "model": model_name(judge["model"]),
        "versions": "; ".join(f"{task}: {version}" for task, version in judge["tasks_versions"].items()),
        "spent": spent(judge),
        "tasks": [{"title": task_title(task), "rows": list(_rows(judge, task))} for task in judge["tasks"]],
        "pairs": [
            {
                "a": pair["a"],
                "b": pair["b"],
                **_texts(pair),
                "disagreed": pair["disagreed"],
                "first_position": NONE if pair["first_position"] is None else percent(pair["first_position"]),
            }
            for pair in judge["pairs"]
        ],
    }


def spent(judge: JudgeResults) -> str:
    """Returns the replies, tokens and cost of a judge as one phrase."""
    cost = "cost unknown" if judge["cost"] is None else f"cost {judge['cost']:.4g}"
    read, written = judge["prompt_tokens"], judge["new_tokens"]
    return f"{judge['replies']:,} replies of the judge, {read:,} tokens in prompts, {written:,} in replies, {cost}"


class _Texts(TypedDict):
    share: str
    interval: str
    n: int
    missing: int


def _texts(figure: JudgeFigure) -> _Texts:
    counts = figure["n"], figure["missing"]
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None or low is None or high is None:
        return {"share": NONE, "interval": "", "n": counts[0], "missing": counts[1]}
    return {
        "share": percent(value),
        "interval": f"{percent(low)}{NONE}{percent(high)}",
        "n": counts[0],
        "missing": counts[1],
    }


def _rows(judge: JudgeResults, task: str) -> Iterator[JudgeRow]:
    compared = {row["b"]: row for row in judge["comparisons"] if row["metric"] == task}
    for arm, figure in judge["tasks"][task].items():
        difference, interval, p_value = _difference(compared.get(arm))
        yield {
            "arm": arm,
            **_texts(figure),
            "difference": difference,
            "difference_interval": interval,
            "p_value": p_value,
        }


def _difference(row: Comparison | None) -> tuple[str, str, str]:
    if row is None:
        return "", "", ""
    interval = f"{points(row['low'])} to {points(row['high'])}"
    return points(row["difference"]), interval, p_text(row["p_value_holm"]).removeprefix("p = ").removeprefix("p ")


def line(results: Results) -> str:
    """Returns the judge's figures as one line for the terminal; "" without a judge."""
    judge = results.get("judge")
    if judge is None:
        return ""
    parts = [
        f"{task_title(task)}: "
        + ", ".join(f"{arm} {_short(figure, results['arms'][arm]['n'])}" for arm, figure in arms.items())
        for task, arms in judge["tasks"].items()
    ]
    if judge["pairs"]:
        preferred = (
            f"{pair['a']} to {pair['b']} {_short(pair, results['arms'][pair['a']]['n'])}" for pair in judge["pairs"]
        )
        parts.append(f"preferred: {', '.join(preferred)}")
    return f"Judge {model_name(judge['model'])} ({state(judge)}): {'; '.join(parts)}."


def state(judge: JudgeResults) -> str:
    """Returns a phrase for the figures of a judge: "uncorrected", and whether corrected figures follow."""
    found = judge.get("corrected")
    return "uncorrected; corrected by labels below" if found and found["arms"] else "uncorrected"


def _short(figure: JudgeFigure, questions: int) -> str:
    """Returns a figure, with its number of values if this is below `questions`, and its number of missing values."""
    value = "unknown" if figure["value"] is None else f"{percent(figure['value'])}%"
    counts = [f"n {figure['n']:,}"] if figure["n"] < questions else []
    counts += [f"{figure['missing']:,} missing"] if figure["missing"] else []
    return f"{value} ({', '.join(counts)})" if counts else value


def missing(results: Results) -> Iterator[str]:
    """Yields the figures of a judge of which more than 5% of the values are missing, one phrase each."""
    judge = results.get("judge")
    if judge is None:
        return
    named = {(task, arm): figure for task, arms in judge["tasks"].items() for arm, figure in arms.items()}
    pairs: dict[tuple[str, str], JudgeFigure] = {
        ("pairs", f"{pair['a']} and {pair['b']}"): pair for pair in judge["pairs"]
    }
    for (task, arm), figure in {**named, **pairs}.items():
        total = figure["n"] + figure["missing"]
        if figure["missing"] > MOST_MISSING * total:
            yield f"{task}, {arm}: {figure['missing']:,} of {total:,}"
