"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004) by the package rouge-score, without stemming.

`row.normalize.tokens` splits the texts into tokens. If it returns None, rouge-score's own tokenizer splits them into
words of Latin letters and digits.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from raft_exp.evaluation.metrics.comparison import Comparison
from raft_exp.evaluation.metrics.graded import Graded

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

_NAMES = ("rouge1", "rouge2", "rougeL")


def rouge_1(row: Graded) -> float:
    """F1 of the words that a text has in common with its reference; the maximum over the references."""
    return _best(row, 0)


def rouge_2(row: Graded) -> float:
    """F1 of the word bigrams that a text has in common with its reference; the maximum over the references."""
    return _best(row, 1)


def rouge_l(row: Graded) -> float:
    """F1 of the longest common subsequence of words of a text and its reference; the maximum over the references."""
    return _best(row, 2)


def _best(row: Graded, place: int) -> float:
    return max(_scores(reference, row.text, row.normalize)[place] for reference in row.references)


@lru_cache(maxsize=10_000)
def _scores(reference: str, text: str, comparison: Comparison) -> tuple[float, ...]:
    scores = _scorer(comparison).score(reference, text)
    return tuple(float(scores[name].fmeasure) for name in _NAMES)


@lru_cache(maxsize=4)
def _scorer(comparison: Comparison) -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer

    own = comparison.tokens("") is not None
    return RougeScorer(list(_NAMES), use_stemmer=False, tokenizer=_Tokenizer(comparison) if own else None)


@dataclass(frozen=True)
class _Tokenizer:
    comparison: Comparison

    def tokenize(self, text: str) -> list[str]:
        """Returns the tokens of a text (the interface that rouge-score expects)."""
        return self.comparison.tokens(text) or []
