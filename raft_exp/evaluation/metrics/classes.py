"""The metric macro F1 over labels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raft_exp.evaluation.metrics.answers import decision
from raft_exp.evaluation.metrics.graded import Counts, Figures, Graded


def labels(row: Graded) -> tuple[str, str]:
    """Returns the observation of macro F1 for one row: (true label, predicted label)."""
    return decision(row.answers[0]), decision(row.prediction)


def macro_f1(pairs: Sequence[tuple[str, str]], counts: Counts) -> Figures:
    """Computes macro F1 of B samples: the mean F1 over all classes that occur as true or predicted label.

    Every distinct prediction that is not a label counts as one more class, with F1 0.

    `pairs`: M distinct (true, predicted) pairs; `counts`: shape (B, M), how often each pair occurs in each sample.
    Returns shape (B,).
    """
    index = {label: place for place, label in enumerate(sorted({label for pair in pairs for label in pair}))}
    truth = np.array([index[true] for true, _ in pairs])
    predicted = np.array([index[label] for _, label in pairs])
    total = _by_class(counts, truth, len(index)) + _by_class(counts, predicted, len(index))
    hit = truth == predicted
    right = _by_class(counts[:, hit], truth[hit], len(index))
    scores = np.divide(2 * right, total, out=np.zeros(total.shape), where=total > 0)
    result: Figures = scores.sum(axis=1) / (total > 0).sum(axis=1)
    return result


def _by_class(counts: Counts, classes: NDArray[np.int64], number: int) -> Counts:
    """Sums the columns of `counts` (B, M) by class and returns shape (B, number). Time: B * M.

    `classes`: shape (M,), the class of each column; `number`: number of classes.
    """
    if not len(classes):
        return np.zeros((len(counts), number), dtype=np.int64)
    order = np.argsort(classes, kind="stable")
    present, starts = np.unique(classes[order], return_index=True)
    sums = np.zeros((len(counts), number), dtype=np.int64)
    sums[:, present] = np.add.reduceat(counts[:, order], starts, axis=1)
    return sums
