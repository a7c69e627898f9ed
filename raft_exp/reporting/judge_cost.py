"""The replies, the tokens and the cost of a study's judge, in one line."""

from raft_exp.evaluation.results import Results
from raft_exp.reporting.formats import model_name
from raft_exp.reporting.judge_tables import spent


def line(results: Results) -> str:
    """Returns a sentence with the replies, tokens and cost of the judge; "" without a judge."""
    judge = results.get("judge")
    return f"Judging by {model_name(judge['model'])}: {spent(judge)}." if judge else ""
