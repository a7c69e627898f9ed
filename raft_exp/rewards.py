"""Reward functions for TRL's GRPOTrainer: answer, quotes, refusal and form of a reply, graded as in the report.

Train on a file of `export.dataset=prompts`: it has the columns that the functions read. docs/how-to/rewards.md shows
all steps, from the export to the comparison of the result.
"""

from raft_exp.evaluation.rewards import answer_right, form_kept, quotes_gold, refusal_right

__all__ = ["answer_right", "form_kept", "quotes_gold", "refusal_right"]
