"""Several runs of one study that differ in their seed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean, stdev
from typing import Any

from raft_exp.core.errors import DataError
from raft_exp.evaluation.statistics.resampling import rounded


def seeds(results: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """{arm: {metric: {mean, deviation, values: {seed: value}}}} of runs (their results.json) that differ in their seed.

    The deviation is that of a sample (n-1); None for one seed. Raises DataError for two runs of one seed.
    """
    values: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for run in results:
        for arm, summary in run["arms"].items():
            for metric, found in summary["metrics"].items():
                if str(run["seed"]) in values[arm][metric]:
                    raise DataError(f"two runs have seed {run['seed']}; compare runs that differ in their seed alone")
                values[arm][metric][str(run["seed"])] = found["value"]
    return {
        arm: {metric: _over_seeds(by_seed) for metric, by_seed in metrics.items()} for arm, metrics in values.items()
    }


def _over_seeds(by_seed: Mapping[str, float]) -> dict[str, Any]:
    found = list(by_seed.values())
    deviation = rounded(stdev(found)) if len(found) > 1 else None
    return {"mean": rounded(fmean(found)), "deviation": deviation, "values": dict(by_seed)}
