"""Metrics of the answer itself. Each is one function of a graded reply, with a value in 0..1."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from raft_exp.evaluation.metrics.graded import Graded, Vectors

LABELS = ("yes", "no", "maybe")
_LABEL = re.compile(rf"(?<!\w)({'|'.join(LABELS)})(?!\w)")
_QUOTED = re.compile(r"##begin_quote##.*?(?:##end_quote##|$)", re.DOTALL)
_MARKER = re.compile(r"##\w+(?:##|:)")
_DELETE_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NEVER_PARTLY_RIGHT = ("yes", "no", "noanswer")
_PLACES = 3  # of a similarity: the last bits of an encoder differ between machines


def normalize(text: str, *, nfd: bool) -> str:
    """HotpotQA's normalisation of an answer; with `nfd` NQ-open's, which decomposes accented letters first."""
    text = unicodedata.normalize("NFD", text) if nfd else text
    text = text.lower().translate(_DELETE_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def decision(prediction: str) -> str:
    """The label that a prediction names. Any other text stays as it is: a wrong label of its own."""
    return prediction.strip().lower().rstrip(string.punctuation + string.whitespace)


def accuracy(row: Graded) -> float:
    """PubMedQA's: the whole prediction is the label; a label inside a longer text never counts."""
    return float(decision(row.prediction) == row.answers[0])


def accuracy_lenient(row: Graded) -> float:
    """The same of the answer that was found in whatever form."""
    return float(decision(row.lenient) == row.answers[0])


def exact_match(row: Graded) -> float:
    """SQuAD's, HotpotQA's and NQ-open's: equal after normalisation to any of the answers."""
    return _matches(row, row.prediction)


def exact_match_lenient(row: Graded) -> float:
    """The same of the answer that was found in whatever form."""
    return _matches(row, row.lenient)


def _matches(row: Graded, said: str) -> float:
    predicted = row.normalize(said)
    return float(any(predicted == row.normalize(answer) for answer in row.answers))


def f1(row: Graded) -> float:
    """HotpotQA's token F1, best over the answers; yes, no and noanswer are never partly right."""
    predicted = row.normalize(row.prediction)
    return max(harmonic(*answered(predicted, row.normalize(answer))) for answer in row.answers)


def answered(predicted: str, answer: str) -> tuple[float, float]:
    """Precision and recall of the answer's tokens, both texts normalised."""
    if predicted != answer and (predicted in _NEVER_PARTLY_RIGHT or answer in _NEVER_PARTLY_RIGHT):
        return 0.0, 0.0
    tokens, wanted = predicted.split(), answer.split()
    common = sum((Counter(tokens) & Counter(wanted)).values())
    return (common / len(tokens), common / len(wanted)) if common else (0.0, 0.0)


def harmonic(precision: float, recall: float) -> float:
    """F1 of precision and recall."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def best_subspan_em(row: Graded) -> float:
    """lost-in-the-middle's (arXiv 2307.03172): an answer stands anywhere in the prediction, even inside a word."""
    said = normalize(row.prediction, nfd=False)
    return float(any(normalize(answer, nfd=False) in said for answer in row.answers))


def answer_in_reply(row: Graded) -> float:
    """Does the reply name the answer? It also serves replies that do not keep to the answer form.

    What follows the answer mark counts, or without one the whole reply; quotes never do, or an arm that quotes would
    be credited with whatever its passages say.
    """
    said = row.prediction or _QUOTED.sub(" ", row.raw)
    if all(decision(answer) in LABELS for answer in row.answers):
        found = _LABEL.search(said.lower())
        return float(found is not None and found[1] in {decision(answer) for answer in row.answers})
    # Deleting the punctuation of "##Reason:Paris" would glue the marker to the word.
    reply = f" {row.normalize(_MARKER.sub(' ', said))} "
    answers = (row.normalize(answer) for answer in row.answers)
    return float(any(f" {answer} " in reply for answer in answers if answer))


def rouge_l(row: Graded) -> float:
    """ROUGE-L's F (Lin 2004) by the package rouge-score as it comes: Latin letters and digits, no stemming; best over
    the answers."""
    return max(_rouge_l(answer, row.prediction) for answer in row.answers)


@lru_cache(maxsize=10_000)
def _rouge_l(answer: str, prediction: str) -> float:
    return float(_scorer().score(answer, prediction)["rougeL"].fmeasure)


@lru_cache(maxsize=1)
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=False)


def semantic_similarity(rows: Sequence[Graded], vectors: Vectors) -> list[float]:
    """Cosine of the prediction's vector and an answer's, best over the answers; below 0 it is 0, as for no words."""
    said = vectors([row.prediction for row in rows])
    wanted = vectors([answer for row in rows for answer in row.answers])
    ends = np.cumsum([len(row.answers) for row in rows])
    closest = (
        float((wanted[end - len(row.answers) : end] @ mine).max()) if row.prediction.strip() else 0.0
        for row, mine, end in zip(rows, said, ends, strict=True)
    )
    return [round(min(1.0, max(0.0, found)), _PLACES) for found in closest]
