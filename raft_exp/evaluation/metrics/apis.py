"""Metrics of API calls, for `corpus=apibench`: the share of replies with the right call.

They need the documentation of the study's APIs (`raft_exp.evaluation.api_documentation`). A reply that was not compared
with it scores 0.
"""

from raft_exp.evaluation.metrics.graded import Graded

WHERE = "in studies of corpus=apibench"


def api_call(row: Graded) -> float:
    """1 if function and identifying arguments of the call are those of the question's API, else 0.

    The call is parsed with Python's ast and not executed. Identifying arguments name a model, task, repository or
    address.
    """
    return float(row.api is not None and row.api.call == "right")


def api_call_lenient(row: Graded) -> float:
    """The score `api_call` of the lenient answer: the answer found in a reply of any form (`prompts.lenient`)."""
    return float(row.api is not None and row.api.lenient == "right")


def api_domain(row: Graded) -> float:
    """The functionality accuracy of APIBench's authors: 1 if the API that the call matches has the right domain.

    Any API of the domain is right, and so is an invented name that begins with the name of such an API. Published
    figures on APIBench use this rule.
    """
    return float(row.api is not None and row.api.domain == "right")
