"""Macro F1 over labels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raft_exp.evaluation.metrics.answers import decision
from raft_exp.evaluation.metrics.graded import Counts, Figures, Graded


def labels(row: Graded) -> tuple[str, str]:
    """What macro F1 needs from a row: the true label and the predicted one."""
    return row.answers[0], decision(row.prediction)


def macro_f1(pairs: Sequence[tuple[str, str]], counts: Counts) -> Figures:
    """The macro F1 of B samples, (B,); `counts` (B, M) counts the M (true, predicted) `pairs`.

    The average goes over the labels that a sample holds, as truth or as prediction: a stray prediction adds a class.
    """
    number = {label: index for index, label in enumerate(sorted({label for pair in pairs for label in pair}))}
    truth = np.array([number[true] for true, _ in pairs])
    predicted = np.array([number[label] for _, label in pairs])
    held = _by_class(counts, truth, len(number)) + _by_class(counts, predicted, len(number))
    hit = truth == predicted
    right = _by_class(counts[:, hit], truth[hit], len(number))
    scores = np.divide(2 * right, held, out=np.zeros(held.shape), where=held > 0)
    result: Figures = scores.sum(axis=1) / (held > 0).sum(axis=1)
    return result


def _by_class(counts: Counts, classes: NDArray[np.int64], number: int) -> Counts:
    """Adds up the columns of each class, (B, M) -> (B, number): in time B * M, however many stray classes there are."""
    if not len(classes):
        return np.zeros((len(counts), number), dtype=np.int64)
    order = np.argsort(classes, kind="stable")
    present, starts = np.unique(classes[order], return_index=True)
    sums = np.zeros((len(counts), number), dtype=np.int64)
    sums[:, present] = np.add.reduceat(counts[:, order], starts, axis=1)
    return sums
