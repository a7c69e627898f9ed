"""Shares, comparisons and intervals from a judge's values. A missing value is left out, and never counts as 0."""

from collections.abc import Iterable, Mapping, Sequence

from raft_exp.evaluation import statistics
from raft_exp.evaluation.judge.pairs import disagreed, first_position
from raft_exp.evaluation.judge.rows import Judgement, PairJudgement
from raft_exp.evaluation.metrics import Metric
from raft_exp.evaluation.results import Comparison, JudgedPair, JudgeFigure

_VERDICT, _SHARE_OF_CLAIMS = Metric(share=True), Metric()
Values = dict[str, float | None]  # question -> value


def by_task(rows: Iterable[Judgement]) -> dict[str, Values]:
    """Returns task -> question -> value, from the rows of one arm."""
    values: dict[str, Values] = {}
    for row in rows:
        values.setdefault(row["task"], {})[row["id"]] = row["value"]
    return values


def figure(values: Values, task: str, of_claims: bool, seed: int) -> JudgeFigure:
    """Returns the mean of the values of an arm in a task. `of_claims`: the values are shares, not verdicts."""
    present = [value for value in values.values() if value is not None]
    missing = len(values) - len(present)
    if not present:
        return {"value": None, "low": None, "high": None, "n": 0, "missing": missing}
    estimate = statistics.estimate(_metric(of_claims), present, statistics.generator(seed, "judge", task))
    value, low, high = estimate.value, estimate.low, estimate.high
    return {"value": value, "low": low, "high": high, "n": len(present), "missing": missing}


def comparisons(arms: Mapping[str, Values], reference: str, task: str, of_claims: bool, seed: int) -> list[Comparison]:
    """Compares the reference arm with each other arm in a task, on the questions that have a value for both.

    P-values are corrected (Holm) over these comparisons.
    """
    rows: list[Comparison] = []
    for other in (name for name in arms if name != reference and reference in arms):
        pairs = [
            (left, right)
            for question, left in arms[reference].items()
            if left is not None and (right := arms[other].get(question)) is not None
        ]
        if pairs:
            random = statistics.generator(seed, "judge", task, reference, other)
            a, b = zip(*pairs, strict=True)
            difference = statistics.compare(_metric(of_claims), a, b, random)
            rows.append({"a": reference, "b": other, "metric": task, **difference.as_figures()})
    for row, p_value in zip(rows, statistics.holm([row["p_value"] for row in rows]), strict=True):
        row["p_value_holm"] = p_value
    return rows


def judged_pair(a: str, b: str, rows: Sequence[PairJudgement], seed: int) -> JudgedPair:
    """Returns how often the judge prefers the reply of arm `a` to that of arm `b`."""
    values = {row["id"]: row["value"] for row in rows}
    position: JudgedPair = {
        **figure(values, f"{a}|{b}", of_claims=True, seed=seed),
        "a": a,
        "b": b,
        "first_position": first_position(rows),
        "disagreed": disagreed(rows),
    }
    return position


def _metric(of_claims: bool) -> Metric:
    return _SHARE_OF_CLAIMS if of_claims else _VERDICT
