"""Metrics of the answer: each a function of a graded reply with a value in 0..1."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from raft_exp.evaluation.metrics.comparison import Comparison, normalize
from raft_exp.evaluation.metrics.graded import Graded, Vectors

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

LABELS = ("yes", "no", "maybe")
REPLY_WORDS = 40  # a passage has more words; an answer with its sentence seldom has
_LABEL = re.compile(rf"(?<!\w)({'|'.join(LABELS)})(?!\w)")
_QUOTED = re.compile(r"##begin_quote##.*?(?:##end_quote##|$)", re.DOTALL)
_MARKER = re.compile(r"##\w+(?:##|:)")
_NEVER_PARTLY_RIGHT = ("yes", "no", "noanswer")
_DECIMALS = 3  # of a similarity: the last bits of an encoder's output differ between machines


def decision(prediction: str) -> str:
    """The label in a prediction, by the normalisation of exact match: `**Yes.**` is yes. Other text is a wrong label.

    All strict metrics read the prediction of `prompts.parse` and normalise it in this one way, so that accuracy and
    exact match of a label are equal.
    """
    return normalize(prediction, nfd=False)


def accuracy(row: Graded) -> float:
    """PubMedQA's accuracy: the whole prediction is the label; a label inside a longer text does not count."""
    return float(decision(row.prediction) == decision(row.answers[0]))


def accuracy_lenient(row: Graded) -> float:
    """Accuracy of the answer found in any form of reply."""
    return float(decision(row.lenient) == decision(row.answers[0]))


def exact_match(row: Graded) -> float:
    """The exact match of SQuAD, HotpotQA and NQ-open: equal to any of the answers after normalisation."""
    return _matches(row, row.prediction)


def exact_match_lenient(row: Graded) -> float:
    """Exact match of the answer found in any form of reply."""
    return _matches(row, row.lenient)


def _matches(row: Graded, prediction: str) -> float:
    predicted = row.normalize(prediction)
    return float(any(predicted == row.normalize(answer) for answer in row.answers))


def f1(row: Graded) -> float:
    """HotpotQA's token F1, best over the answers; yes, no and noanswer score 0 unless equal."""
    predicted = row.normalize(row.prediction)
    return max(harmonic(*answered(predicted, row.normalize(answer))) for answer in row.answers)


def answered(predicted: str, answer: str) -> tuple[float, float]:
    """Precision and recall of the answer's tokens; both texts are normalised."""
    if predicted != answer and (predicted in _NEVER_PARTLY_RIGHT or answer in _NEVER_PARTLY_RIGHT):
        return 0.0, 0.0
    tokens, answer_tokens = predicted.split(), answer.split()
    common = sum((Counter(tokens) & Counter(answer_tokens)).values())
    return (common / len(tokens), common / len(answer_tokens)) if common else (0.0, 0.0)


def harmonic(precision: float, recall: float) -> float:
    """F1 of precision and recall."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def best_subspan_em(row: Graded) -> float:
    """Lost in the Middle's (arXiv 2307.03172): an answer occurs in the prediction, also inside a word.

    As published, only the prediction up to its first line break counts. Otherwise a model that copies its
    passages would score highest.
    """
    predicted = normalize(row.prediction.split("\n")[0].strip(), nfd=False)
    return float(any(normalize(answer, nfd=False) in predicted for answer in row.answers))


def answer_in_reply(row: Graded) -> float:
    """The reply contains an answer, word-bounded; for labels, the first label in it is right.

    Searches the text after the answer marker, or the whole reply without its quotes where it has no marker. Of a text
    with more than 40 words (REPLY_WORDS) only the lenient answer counts. Otherwise a model that copies its passages
    would score highest.
    """
    text = row.prediction or _QUOTED.sub(" ", row.raw)
    if row.normalize.length(text) > REPLY_WORDS:
        text = row.lenient
    if all(decision(answer) in LABELS for answer in row.answers):
        label = _LABEL.search(text.lower())
        return float(label is not None and label[1] in {decision(answer) for answer in row.answers})
    # Deleting the punctuation of "##Reason:Paris" would join the marker and the word.
    return float(row.normalize.holds(_MARKER.sub(" ", text), row.answers))


def rouge_l(row: Graded) -> float:
    """ROUGE-L F1 (Lin 2004), best over the answers, by the package rouge-score without stemming.

    The tokens are those of the corpus's comparison, by default rouge-score's (Latin letters and digits).
    """
    return max(_rouge_l(answer, row.prediction, row.normalize) for answer in row.answers)


@lru_cache(maxsize=10_000)
def _rouge_l(answer: str, prediction: str, comparison: Comparison) -> float:
    return float(_scorer(comparison).score(answer, prediction)["rougeL"].fmeasure)


@lru_cache(maxsize=4)
def _scorer(comparison: Comparison) -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer

    own = comparison.tokens("") is not None
    return RougeScorer(["rougeL"], use_stemmer=False, tokenizer=_Tokenizer(comparison) if own else None)


@dataclass(frozen=True)
class _Tokenizer:
    comparison: Comparison

    def tokenize(self, text: str) -> list[str]:
        """The tokens (the interface of rouge-score)."""
        return self.comparison.tokens(text) or []


def semantic_similarity(rows: Sequence[Graded], vectors: Vectors) -> list[float]:
    """Cosine of the prediction's vector and an answer's, best over the answers; 0 for negative cosines and for empty
    predictions."""
    predicted = vectors([row.prediction for row in rows])
    answers = vectors([answer for row in rows for answer in row.answers])
    ends = np.cumsum([len(row.answers) for row in rows])
    cosines = (
        float((answers[end - len(row.answers) : end] @ vector).max()) if row.prediction.strip() else 0.0
        for row, vector, end in zip(rows, predicted, ends, strict=True)
    )
    return [round(min(1.0, max(0.0, cosine)), _DECIMALS) for cosine in cosines]
