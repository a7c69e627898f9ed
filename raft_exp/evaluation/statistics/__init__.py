"""Intervals for one arm, paired comparisons of two arms on the same items, and figures over several seeds.

All functions work on counts of distinct observations instead of rows: a resample of n rows is one multinomial draw over
the few different values (or differences, or label pairs) that occur. 2,000 resamples of 10,000 rows are cheap, and the
order of the rows has no effect. `benchmarks/simulations.py` measures the coverage of the intervals by simulation.
"""

from raft_exp.evaluation.statistics.intervals import Estimate, bounded, clustered, estimate, expected, wilson
from raft_exp.evaluation.statistics.paired import POWER, Difference, compare, holm
from raft_exp.evaluation.statistics.resampling import CONFIDENCE, PERMUTATIONS, RESAMPLES, generator
from raft_exp.evaluation.statistics.seeds import seeds

__all__ = [
    "CONFIDENCE",
    "PERMUTATIONS",
    "POWER",
    "RESAMPLES",
    "Difference",
    "Estimate",
    "bounded",
    "clustered",
    "compare",
    "estimate",
    "expected",
    "generator",
    "holm",
    "seeds",
    "wilson",
]
