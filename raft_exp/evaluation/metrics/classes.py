"""Macro F1 over labels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raft_exp.evaluation.metrics.answers import decision
from raft_exp.evaluation.metrics.graded import Counts, Figures, Graded


def labels(row: Graded) -> tuple[str, str]:
    """The observation of macro F1: the true label and the predicted label of a row."""
    return decision(row.answers[0]), decision(row.prediction)


def macro_f1(pairs: Sequence[tuple[str, str]], counts: Counts) -> Figures:
    """Mean F1 over the labels that occur, true or predicted: a prediction that is no label adds a class with F1 0.

    `counts`, shape (B, M), has the number of each of the M (true, predicted) `pairs` in B samples. Returns shape (B,).
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
    """The sums of the columns of each class, (B, M) -> (B, number), in time B * M for any number of classes."""
    if not len(classes):
        return np.zeros((len(counts), number), dtype=np.int64)
    order = np.argsort(classes, kind="stable")
    present, starts = np.unique(classes[order], return_index=True)
    sums = np.zeros((len(counts), number), dtype=np.int64)
    sums[:, present] = np.add.reduceat(counts[:, order], starts, axis=1)
    return sums
