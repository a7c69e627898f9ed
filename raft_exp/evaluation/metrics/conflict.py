"""How often a reply follows the false passage of its context."""

from raft_exp.evaluation.metrics.graded import Graded

WHERE = "in a study with conflict=true"


def follows_false_passage(row: Graded) -> float:
    """1 if the answer is the false answer of the context's false passage, after normalisation; the lower, the better.

    Both readings of the reply count: the text after the answer marker, and the answer found in any form.
    """
    false = row.normalize(row.planted)
    return float(bool(false) and false in (row.normalize(row.prediction), row.normalize(row.lenient)))
