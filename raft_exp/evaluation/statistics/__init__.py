"""How sure a figure is: intervals for one arm, the paired comparison of two arms on the same items, several seeds.

Everything works on counts of distinct observations instead of rows: resampling n rows is one multinomial draw over the
few different values (or differences, or label pairs) that occur, so that 2,000 resamples of 10,000 rows cost little,
and the order of the rows cannot matter. `benchmarks/statistics.py` shows by simulation what holds.
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
