"""The metric of tests with false passages: how often a reply gives the answer of the false passage."""

from raft_exp.evaluation.metrics.graded import Graded

WHERE = "in a study with conflict=true"


def follows_false_passage(row: Graded) -> float:
    """1 if the reply gives the answer of the false passage in its context (after normalisation). Lower is better.

    Both the text after the answer marker and the lenient answer are compared with the false answer; one match is
    enough.
    """
    false = row.normalize(row.planted)
    return float(bool(false) and false in (row.normalize(row.prediction), row.normalize(row.lenient)))
