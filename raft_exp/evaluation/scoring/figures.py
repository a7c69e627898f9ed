"""Each arm summed up, and the arms compared on the same items."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from raft_exp.core.records import Example
from raft_exp.evaluation import statistics
from raft_exp.evaluation.metrics import METRICS, Metric, Profile
from raft_exp.evaluation.scoring.behaviour import behaviour, tokens
from raft_exp.evaluation.scoring.replies import ScoredArm

# How well-formed the replies are: reported for every arm, never compared or called a quality.
REPLY_SHARES = ("parsed", "truncated", "empty")
_SHARE = Metric(share=True)  # observed when a reply is scored: it is no matter of the answers


def summary(
    observed: Mapping[str, Sequence[Any]], names: Iterable[str], seed: int, items: Sequence[int] | None = None
) -> dict[str, Any]:
    """{n, metrics: {name: {value, low, high}}} over all test items or some of them; of the metrics that there are."""
    metrics = {}
    for name in (name for name in names if name in observed):
        seen = observed[name]
        chosen = seen if items is None else [seen[index] for index in items]
        found = statistics.estimate(METRICS.get(name, _SHARE), chosen, statistics.generator(seed, name))
        metrics[name] = asdict(found)
    return {"n": len(next(iter(observed.values()))) if items is None else len(items), "metrics": metrics}


def summaries(
    arms: Mapping[str, ScoredArm],
    examples: Sequence[Example],
    profile: Profile,
    seed: int,
    gold_unknown: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Every arm over all items, with the shares of well-formed replies, what it does, and what it costs."""
    names = (*profile.metrics, *REPLY_SHARES)
    return {
        name: {
            **summary(arm.observed, names, seed),
            "answered": arm.answered,
            "behaviour": behaviour(arm, examples, gold_unknown),
            "tokens": tokens(arm),
        }
        for name, arm in arms.items()
    }


def reference_arm(arms: Mapping[str, Mapping[str, Any]]) -> str:
    """The arm that the others are compared with: `raft`, else one trained by that recipe, else the last."""
    trained = [name for name, arm in arms.items() if arm.get("recipe") == "raft"]
    return "raft" if "raft" in arms else (trained or list(arms))[-1]


def comparisons(reference: str, arms: Mapping[str, ScoredArm], profile: Profile, seed: int) -> list[dict[str, Any]]:
    """The reference arm minus each other arm, for each metric; Holm's correction goes over the arms of one metric."""
    found: list[dict[str, Any]] = []
    for metric in (name for name in profile.metrics if name in arms[reference].observed):
        others = [name for name, arm in arms.items() if name != reference and metric in arm.observed]
        seen = arms[reference].observed[metric]
        pairs = [
            statistics.compare(
                METRICS[metric],
                seen,
                arms[other].observed[metric],
                statistics.generator(seed, metric, reference, other),
            )
            for other in others
        ]
        corrected = statistics.holm([pair.p_value for pair in pairs])
        for other, pair, p_value_holm in zip(others, pairs, corrected, strict=True):
            found.append({"a": reference, "b": other, "metric": metric, **asdict(pair), "p_value_holm": p_value_holm})
    return found


def detectable(compared: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """{metric: {other arm: the smallest true difference that its comparison would probably have found}}."""
    found: dict[str, dict[str, float]] = {}
    for row in compared:
        found.setdefault(row["metric"], {})[row["b"]] = row["detectable"]
    return found
