"""Summaries of the arms, and comparisons of the arms on the same items."""

from collections.abc import Iterable, Mapping, Sequence

from raft_exp.core.records import Example
from raft_exp.evaluation import statistics
from raft_exp.evaluation.metrics import METRICS, Metric, Observation, Profile
from raft_exp.evaluation.results import ArmResult, Comparison, Primary, Summary
from raft_exp.evaluation.scoring.behaviour import behaviour, tokens
from raft_exp.evaluation.scoring.replies import ScoredArm

# Shares of replies by form: reported for every arm, and not compared.
REPLY_SHARES = ("parsed", "truncated", "empty")
_SHARE = Metric(share=True)  # without `observe`: `score_arm` observes these shares


def summary(
    observed: Mapping[str, Sequence[Observation]], names: Iterable[str], seed: int, items: Sequence[int] | None = None
) -> Summary:
    """The figures of an arm over all test items, or over those at the places `items`. Of the metrics `names`, those
    without an observation are left out."""
    metrics = {}
    for name in (name for name in names if name in observed):
        observations = observed[name]
        chosen = observations if items is None else [observations[place] for place in items]
        estimate = statistics.estimate(METRICS.get(name, _SHARE), chosen, statistics.generator(seed, name))
        metrics[name] = estimate.as_figure()
    return {"n": len(next(iter(observed.values()))) if items is None else len(items), "metrics": metrics}


def summaries(
    arms: Mapping[str, ScoredArm],
    examples: Sequence[Example],
    profile: Profile,
    seed: int,
    gold_unknown: frozenset[str] = frozenset(),
) -> dict[str, ArmResult]:
    """Every arm over all items: metrics, shares of replies by form, behaviour, tokens."""
    names = (*profile.metrics, *REPLY_SHARES)
    counted = {name: summary(arm.observed, names, seed) for name, arm in arms.items()}
    return {
        name: {
            "n": counted[name]["n"],
            "metrics": counted[name]["metrics"],
            "answered": arm.answered,
            "behaviour": behaviour(arm, examples, gold_unknown),
            "tokens": tokens(arm),
        }
        for name, arm in arms.items()
    }


def comparisons(
    reference: str, arms: Mapping[str, ScoredArm], profile: Profile, seed: int, primary: Primary | None = None
) -> list[Comparison]:
    """The reference arm minus each other arm, for each metric; Holm's correction is over the arms of one metric.

    The `primary` contrast is fixed before the run: it needs no correction, and the others are corrected without it.
    """
    rows: list[Comparison] = []
    for metric in (name for name in profile.metrics if name in arms[reference].observed):
        others = [name for name, arm in arms.items() if name != reference and metric in arm.observed]
        of_metric = [_compared(metric, reference, other, arms, seed) for other in others]
        fixed = primary["against"] if primary and primary["metric"] == metric else None
        corrected = [row for row in of_metric if row["b"] != fixed]
        for row, p_value in zip(corrected, statistics.holm([row["p_value"] for row in corrected]), strict=True):
            row["p_value_holm"] = p_value
        rows += of_metric
    return rows


def _compared(metric: str, a: str, b: str, arms: Mapping[str, ScoredArm], seed: int) -> Comparison:
    """Arm `a` minus arm `b`, without a correction."""
    random = statistics.generator(seed, metric, a, b)
    pair = statistics.compare(METRICS[metric], arms[a].observed[metric], arms[b].observed[metric], random)
    return {"a": a, "b": b, "metric": metric, **pair.as_figures()}


def detectable(rows: Iterable[Comparison]) -> dict[str, dict[str, float]]:
    """{metric: {other arm: the smallest true difference that the comparison finds with 80% power}}."""
    differences: dict[str, dict[str, float]] = {}
    for row in rows:
        differences.setdefault(row["metric"], {})[row["b"]] = row["detectable"]
    return differences
