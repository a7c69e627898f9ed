"""Means and standard deviations over runs of one study that differ only in their seed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean, stdev

from raft_exp.core.errors import DataError
from raft_exp.evaluation.results import Results, SeedFigures
from raft_exp.evaluation.statistics.resampling import rounded


def seeds(results: Iterable[Results]) -> dict[str, dict[str, SeedFigures]]:
    """Returns {arm: {metric: figures}} over runs that differ only in their seed.

    Raises DataError for two runs with the same seed.
    """
    values: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for run in results:
        for arm, summary in run["arms"].items():
            for metric, figure in summary["metrics"].items():
                if str(run["seed"]) in values[arm][metric]:
                    raise DataError(f"two runs have seed {run['seed']}; give runs with different seeds")
                values[arm][metric][str(run["seed"])] = figure["value"]
    return {
        arm: {metric: _over_seeds(by_seed) for metric, by_seed in metrics.items()} for arm, metrics in values.items()
    }


def _over_seeds(by_seed: Mapping[str, float]) -> SeedFigures:
    values = list(by_seed.values())
    deviation = rounded(stdev(values)) if len(values) > 1 else None
    return {"mean": rounded(fmean(values)), "deviation": deviation, "values": dict(by_seed)}
