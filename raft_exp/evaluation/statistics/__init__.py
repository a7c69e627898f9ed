"""Intervals for one arm, paired comparisons of two arms on the same items, and both over several training seeds.

The functions of one run work on counts of distinct observations instead of rows: a resample of n rows is one
multinomial draw over the few different values (or differences, or label pairs) that occur. 2,000 resamples of 10,000
rows are cheap, and the order of the rows has no effect. `benchmarks/simulations.py` measures coverage by simulation.
"""

from raft_exp.evaluation.statistics.intervals import Estimate, bounded, clustered, estimate, expected, wilson
from raft_exp.evaluation.statistics.paired import POWER, Difference, compare, holm
from raft_exp.evaluation.statistics.resampling import CONFIDENCE, PERMUTATIONS, RESAMPLES, generator
from raft_exp.evaluation.statistics.seeds import seeds
from raft_exp.evaluation.statistics.training_seeds import (
    SeedDifference,
    SeedEstimate,
    Seeds,
    compare_over_seeds,
    estimate_over_seeds,
)

__all__ = [
    "CONFIDENCE",
    "PERMUTATIONS",
    "POWER",
    "RESAMPLES",
    "Difference",
    "Estimate",
    "SeedDifference",
    "SeedEstimate",
    "Seeds",
    "bounded",
    "clustered",
    "compare",
    "compare_over_seeds",
    "estimate",
    "estimate_over_seeds",
    "expected",
    "generator",
    "holm",
    "seeds",
    "wilson",
]
