"""Figures of each arm, and comparisons of the arms on the same items."""

from collections.abc import Iterable, Mapping, Sequence

from raft_exp.core.records import Example
from raft_exp.evaluation import statistics
from raft_exp.evaluation.metrics import METRICS, MaybeObservation, Metric, Profile
from raft_exp.evaluation.results import ArmResult, Comparison, Primary, Summary
from raft_exp.evaluation.scoring.behaviour import behaviour, tokens
from raft_exp.evaluation.scoring.replies import ScoredArm

# Shares of replies by their form: reported for every arm, and not compared between arms.
REPLY_SHARES = ("parsed", "truncated", "empty")
_SHARE = Metric(share=True)  # without `observe`: `score_arm` observes these shares


def summary(
    observed: Mapping[str, Sequence[MaybeObservation]],
    names: Iterable[str],
    seed: int,
    items: Sequence[int] | None = None,
) -> Summary:
    """Returns the figures of an arm. Metrics without observations are left out.

    `observed`: metric -> observations in the order of the test items; None: the metric leaves the item out. `names`:
    the metrics to report. `items`: indices of the items to use; None: all.
    """
    metrics = {}
    for name in (name for name in names if name in observed):
        observations = observed[name]
        chosen = observations if items is None else [observations[place] for place in items]
        if present := [observation for observation in chosen if observation is not None]:
            estimate = statistics.estimate(METRICS.get(name, _SHARE), present, statistics.generator(seed, name))
            metrics[name] = estimate.as_figure()
    return {"n": len(next(iter(observed.values()))) if items is None else len(items), "metrics": metrics}


def summaries(
    arms: Mapping[str, ScoredArm],
    examples: Sequence[Example],
    profile: Profile,
    seed: int,
    gold_unknown: frozenset[str] = frozenset(),
) -> dict[str, ArmResult]:
    """Returns the figures of every arm over all items: metrics, the shares REPLY_SHARES, behaviour and tokens.

    `gold_unknown`: see `behaviour`.
    """
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
    """Compares the reference arm with each other arm in each metric (reference minus other).

    P-values are corrected (Holm) over all comparisons of one metric. The `primary` contrast was fixed before the run.
    Its p-value is not corrected, and the correction of the others does not count it.
    """
    rows: list[Comparison] = []
    for metric in (name for name in profile.metrics if name in arms[reference].observed):
        others = [name for name, arm in arms.items() if name != reference and metric in arm.observed]
        of_metric = [compared(metric, reference, other, arms, seed) for other in others]
        fixed = primary["against"] if primary and primary["metric"] == metric else None
        corrected = [row for row in of_metric if row["b"] != fixed]
        for row, p_value in zip(corrected, statistics.holm([row["p_value"] for row in corrected]), strict=True):
            row["p_value_holm"] = p_value
        rows += of_metric
    return rows


def compared(metric: str, a: str, b: str, arms: Mapping[str, ScoredArm], seed: int) -> Comparison:
    """Compares arm `a` with arm `b` in one metric (a minus b), without a correction of the p-value.

    The metric must leave the same items out in both arms.
    """
    random = statistics.generator(seed, metric, a, b)
    left, right = ([one for one in arms[arm].observed[metric] if one is not None] for arm in (a, b))
    pair = statistics.compare(METRICS[metric], left, right, random)
    return {"a": a, "b": b, "metric": metric, **pair.as_figures()}


def detectable(rows: Iterable[Comparison]) -> dict[str, dict[str, float]]:
    """Returns {metric: {arm `b`: smallest true difference that the comparison detects with 80% power}}."""
    differences: dict[str, dict[str, float]] = {}
    for row in rows:
        differences.setdefault(row["metric"], {})[row["b"]] = row["detectable"]
    return differences
