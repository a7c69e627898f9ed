"""Confidence intervals of one arm, paired comparisons of two arms on the same items, and both over training seeds.

Functions for one run use the counts of distinct observations instead of rows. A bootstrap resample of n rows is then
one multinomial draw over the few distinct values (or differences, or label pairs). This makes 2,000 resamples of 10,000
rows cheap, and the order of the rows has no effect. `benchmarks/simulations.py` measures the coverage of the intervals.
"""

from raft_exp.evaluation.statistics.agreement import kappa
from raft_exp.evaluation.statistics.intervals import Estimate, bounded, clustered, estimate, expected, wilson
from raft_exp.evaluation.statistics.judged import (
    FEWEST_LABELS,
    CorrectedDifference,
    Judged,
    corrected,
    corrected_difference,
)
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
    "FEWEST_LABELS",
    "PERMUTATIONS",
    "POWER",
    "RESAMPLES",
    "CorrectedDifference",
    "Difference",
    "Estimate",
    "Judged",
    "SeedDifference",
    "SeedEstimate",
    "Seeds",
    "bounded",
    "clustered",
    "compare",
    "compare_over_seeds",
    "corrected",
    "corrected_difference",
    "estimate",
    "estimate_over_seeds",
    "expected",
    "generator",
    "holm",
    "kappa",
    "seeds",
    "wilson",
]
