"""BLEU and chrF of an arm's texts, by sacrebleu's counts. Both are figures of the whole test, and not means of rows.

The observation of a row holds its sufficient statistics: sacrebleu's counts for the row. The figure is computed from
their sums, as sacrebleu does, for many bootstrap samples in one step. BLEU is that of sacrebleu's default settings
(case-sensitive, exponential smoothing, no effective order); chrF is chrF2 with characters of orders 1 to 6.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from raft_exp.evaluation.metrics.graded import Counts, Figures, Graded

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

_ORDERS = 4  # of BLEU
_BETA = 2  # of chrF: the weight of recall
_EPSILON = 1e-16  # sacrebleu's value for precision and recall of an order without n-grams

Statistics = tuple[int, ...]


def bleu_statistics(row: Graded) -> Statistics:
    """Returns sacrebleu's counts for BLEU of one row, 10 numbers.

    In this order: the tokens of the text; the tokens of the reference with the closest length; the matching n-grams of
    orders 1 to 4; all n-grams of the text of orders 1 to 4.
    """
    # sacrebleu's bootstrap reads the same counts by this method: there is no public one.
    counts = _bleu(row.tokenizer)._extract_corpus_statistics([row.text], [[one] for one in row.references])
    return tuple(counts[0])


def bleu(statistics: Sequence[Statistics], counts: Counts) -> Figures:
    """Corpus BLEU (Papineni et al. 2002) as sacrebleu computes it, divided by 100.

    `statistics`: M distinct observations of `bleu_statistics`. `counts`: shape (B, M), how often each is in each
    sample. Returns shape (B,).
    """
    sums = _sums(statistics, counts)
    length, reference, common, total = sums[:, 0], sums[:, 1], sums[:, 2 : 2 + _ORDERS], sums[:, 2 + _ORDERS :]
    missing = common == 0
    smoothed = np.where(missing, 0.5 ** missing.cumsum(axis=1), common)  # 1/2, 1/4, ...: each order without a match
    whole = total.all(axis=1) & common.any(axis=1)  # BLEU is 0 if an order has no n-grams, or no order has a match
    precisions = np.divide(smoothed, total, out=np.ones_like(total), where=total > 0)
    short = np.divide(reference, length, out=np.ones_like(length), where=(length > 0) & (length < reference))
    result: Figures = whole * np.exp(1 - short) * np.exp(np.log(precisions).mean(axis=1))
    return result


def chrf_statistics(row: Graded) -> Statistics:
    """Returns sacrebleu's counts for chrF of one row, 18 numbers.

    For each order from 1 to 6: the numbers of character n-grams of the text, of its best reference, and of both.
    """
    return tuple(_chrf()._extract_corpus_statistics([row.text], [[one] for one in row.references])[0])


def chrf(statistics: Sequence[Statistics], counts: Counts) -> Figures:
    """Corpus chrF2 (Popovic 2015) as sacrebleu computes it, divided by 100: F of character n-grams.

    `statistics`: M distinct observations of `chrf_statistics`. `counts`: shape (B, M), how often each is in each
    sample. Returns shape (B,).
    """
    text, reference, common = _sums(statistics, counts).reshape(len(counts), -1, 3).transpose(2, 0, 1)
    present = (text > 0) & (reference > 0)
    orders = np.maximum(present.sum(axis=1), 1)
    precision = (_shares(common, text) * present).sum(axis=1) / orders
    recall = (_shares(common, reference) * present).sum(axis=1) / orders
    below = _BETA**2 * precision + recall
    above = (1 + _BETA**2) * precision * recall
    result: Figures = np.divide(above, below, out=np.zeros_like(below), where=below > 0)
    return result


def signature(tokenizer: str) -> str:
    """Returns sacrebleu's description of its BLEU with a tokenizer, for reports."""
    scorer = _bleu(tokenizer)
    scorer.corpus_score([""], [[""]])  # the number of references is known only after a call
    return str(scorer.get_signature())


def _sums(statistics: Sequence[Statistics], counts: Counts) -> NDArray[np.float64]:
    return np.asarray(counts @ np.asarray(statistics, dtype=np.float64), dtype=np.float64)


def _shares(common: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(common, total, out=np.full_like(total, _EPSILON), where=total > 0)


@lru_cache(maxsize=8)
def _bleu(tokenizer: str) -> "BLEU":
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize=tokenizer, force=True)


@lru_cache(maxsize=1)
def _chrf() -> "CHRF":
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()
