"""Computes figures from replies: parses and grades replies, summarises arms, compares arms on the same items."""

from raft_exp.evaluation.scoring.arms import arm_gradings
from raft_exp.evaluation.scoring.figures import REPLY_SHARES, compared, comparisons, detectable, summaries, summary
from raft_exp.evaluation.scoring.labels import baselines, classes
from raft_exp.evaluation.scoring.replies import Grading, ScoredArm, check_quotes, score_arm
from raft_exp.evaluation.scoring.slices import TrainingFacts, slices, training_facts

__all__ = [
    "REPLY_SHARES",
    "Grading",
    "ScoredArm",
    "TrainingFacts",
    "arm_gradings",
    "baselines",
    "check_quotes",
    "classes",
    "compared",
    "comparisons",
    "detectable",
    "score_arm",
    "slices",
    "summaries",
    "summary",
    "training_facts",
]
