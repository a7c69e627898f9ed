"""The comparisons of a planned report, and the smallest differences that their tests can find."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import pstdev

from raft_exp.apps.plan.figures import Claim, Figure, LeftOut, Spread, SpreadKind
from raft_exp.apps.plan.study import PlannedStudy
from raft_exp.core.errors import RaftError
from raft_exp.core.records import read_rows
from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.statistics.power import (
    detectable_mean,
    detectable_share,
    questions_for_mean,
    questions_for_share,
)
from raft_exp.pipeline.config import primary_of

DISCORDANCE = 0.3  # assumed share of questions that exactly one of two arms answers right
POINTS = (2, 5, 10)  # differences in percentage points, for which the plan has the needed number of questions

Replies = Mapping[str, float]  # id of a question -> value of the metric


def planned_questions(study: PlannedStudy) -> Figure:
    """Returns the number of test questions: counted in the store, else the limit from the settings, else unknown."""
    test = study.labelled("dataset[test]")
    size = study.expected.sizes.rows(test) if test else None
    figure: Figure = {
        "what": f"{study.config.evaluation.split} questions",
        "value": size.number if size else None,
        "unit": "questions",
        "basis": "counted",
        "source": "questions in the store, within evaluation.max_items",
    }
    if size is None:
        figure["source"] = "unknown before the questions are made; until=questions makes them"
    elif not size.counted:
        figure["source"] = "the limit evaluation.max_items; the questions are not made yet (until=questions)"
        figure["at_most"] = True
    return figure


def claims(study: PlannedStudy, questions: int | None, discordance: float | None, left: LeftOut) -> list[Claim]:
    """Returns a claim for each arm that the report compares with the reference arm, in the primary metric.

    `questions`: number of test questions, None if unknown. `discordance`: share of questions that only one of two arms
    answers right; None: a measured or assumed share. `left`: receives a line if no claim can be made.
    """
    chosen = primary_of(study.config)
    metric, a = chosen["metric"], chosen["arm"]
    if not METRICS[metric].per_row:
        left.say(
            f"comparisons: {metric} is not a mean over questions, so its power is not computed; set another metric in "
            "evaluation.primary.metric"
        )
        return []
    others = [name for name in study.config.evaluation.arms if name != a]
    return [_claim(study, metric, a, b, b == chosen["against"], questions, discordance) for b in others]


def _claim(
    study: PlannedStudy, metric: str, a: str, b: str, primary: bool, questions: int | None, discordance: float | None
) -> Claim:
    share = METRICS[metric].share
    measured = None if discordance is not None else _differences(study.run, metric, a, b)
    if measured:
        questions = len(measured)
    spread = _spread(share, measured, discordance)
    value = spread["value"]
    if share:
        needed = {str(points): questions_for_share(points / 100, value) for points in POINTS}
        detectable = detectable_share(questions, value) if questions else None
    else:
        needed = {str(points): questions_for_mean(points / 100, value) for points in POINTS}
        detectable = detectable_mean(questions, value) if questions else None
    return {
        "a": a,
        "b": b,
        "metric": metric,
        "primary": primary,
        "test": "exact McNemar test" if share else "permutation test, by its normal approximation",
        "questions": questions,
        "spread": spread,
        "detectable": detectable,
        "needed": needed,
    }


def _spread(share: bool, measured: Sequence[float] | None, discordance: float | None) -> Spread:
    """Returns how much two arms differ question by question: measured in a run, else assumed.

    `share`: whether the metric is 0 or 1 for each question. For other metrics with values between 0 and 1, the standard
    deviation is at most the square root of the share of questions that differ.
    """
    kind: SpreadKind = "discordance" if share else "standard deviation"
    if measured:
        n = len(measured)
        # +1 on both sides: a sample in which no question differs does not prove that none differs
        value = (sum(map(bool, measured)) + 1) / (n + 1) if share else max(pstdev(measured), 1 / n)
        source = f"replies of the run to {n} questions"
        return {"kind": kind, "value": value, "basis": "measured", "source": source}
    value = DISCORDANCE if discordance is None else discordance
    source = f"discordance={value:g}"
    return {"kind": kind, "value": value if share else value**0.5, "basis": "assumed", "source": source}


def _differences(run: Path | None, metric: str, a: str, b: str) -> list[float] | None:
    """Returns the metric of arm `a` minus that of `b` for each question; None without replies to the same questions."""
    replies = [_replies(run, metric, name) for name in (a, b)] if run else []
    if not replies or not all(replies) or set(replies[0]) != set(replies[1]):
        return None
    return [value - replies[1][name] for name, value in replies[0].items()]


def _replies(run: Path, metric: str, arm: str) -> Replies:
    values: dict[str, float] = {}
    with contextlib.suppress(OSError, RaftError, KeyError):
        for row in read_rows(run / "predictions" / f"{arm}.jsonl"):
            values[str(row["id"])] = float(row["metrics"][metric])
        return values
    return {}
