"""Metrics of API calls, for `corpus=apibench`: the share of replies with the right call.

These metrics need the documentation of the study's APIs (`raft_exp.evaluation.api_documentation`). A reply that was not
compared with the documentation scores 0.
"""

from raft_exp.evaluation.metrics.graded import Graded

WHERE = "in studies of corpus=apibench"


def api_call(row: Graded) -> float:
    """1 if the call has the function and the identifying arguments of the question's API, else 0.

    The call is parsed with Python's ast and not executed. Identifying arguments name a model, task, repository or
    address.
    """
    return float(row.api is not None and row.api.call == "right")


def api_call_lenient(row: Graded) -> float:
    """The score `api_call` of the lenient answer, which `prompts.lenient` finds in a reply of any form."""
    return float(row.api is not None and row.api.lenient == "right")


def api_domain(row: Graded) -> float:
    """The functionality accuracy of APIBench's authors: 1 if the call matches an API of the question's domain.

    Any API of the domain is right, and so is an invented name that contains the name of such an API. Published
    figures on APIBench use this rule.
    """
    return float(row.api is not None and row.api.domain == "right")
