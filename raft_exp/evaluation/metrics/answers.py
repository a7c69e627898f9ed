"""Metrics of the answer. Each metric is a function from a graded reply to a value in 0..1."""

import re
from collections import Counter
from collections.abc import Sequence

from raft_exp.evaluation.metrics.comparison import normalize
from raft_exp.evaluation.metrics.graded import Graded

LABELS = ("yes", "no", "maybe")
REPLY_WORDS = 40  # most passages have more words, but few sentences with an answer do
_LABEL = re.compile(rf"(?<!\w)({'|'.join(LABELS)})(?!\w)")
_QUOTED = re.compile(r"##begin_quote##.*?(?:##end_quote##|$)", re.DOTALL)
_MARKER = re.compile(r"##\w+(?:##|:)")


def decision(prediction: str) -> str:
    """Returns the label of a prediction, normalised as for exact match: `**Yes.**` becomes yes.

    Text that is not a label is returned normalised, and counts as a wrong label. All strict metrics normalise the
    prediction of `prompts.parse` in the same way, so that accuracy and exact match of a label are equal.
    """
    return normalize(prediction, nfd=False)


def accuracy(row: Graded) -> float:
    """PubMedQA's accuracy: 1 if the whole prediction is the true label; a label inside a longer text scores 0."""
    return float(decision(row.prediction) == decision(row.answers[0]))


def accuracy_lenient(row: Graded) -> float:
    """Accuracy of the lenient answer, i.e. the answer that `prompts.lenient` finds in a reply of any form."""
    return float(decision(row.lenient) == decision(row.answers[0]))


def exact_match(row: Graded) -> float:
    """Exact match of SQuAD, HotpotQA and NQ-open: 1 if the prediction equals any answer after normalisation."""
    return _matches(row, row.prediction)


def exact_match_lenient(row: Graded) -> float:
    """Exact match of the lenient answer, i.e. the answer that `prompts.lenient` finds in a reply of any form."""
    return _matches(row, row.lenient)


def _matches(row: Graded, prediction: str) -> float:
    predicted = row.normalize(prediction)
    return float(any(predicted == row.normalize(answer) for answer in row.answers))


def f1(row: Graded) -> float:
    """Token F1, the maximum over the answers. As in HotpotQA, the texts yes, no and noanswer get no partial score: F1
    is 1 if prediction and answer are equal, else 0. In TriviaQA they are ordinary words.
    """
    predicted, whole = row.normalize(row.prediction), row.normalize.never_partly_right
    return max(harmonic(*answered(predicted, row.normalize(answer), whole)) for answer in row.answers)


def answered(predicted: str, answer: str, never_partly_right: Sequence[str]) -> tuple[float, float]:
    """Returns precision and recall of the tokens of a prediction against an answer; both texts are normalised.

    Both are 0 if the texts differ and one of them is in `never_partly_right`.
    """
    if predicted != answer and (predicted in never_partly_right or answer in never_partly_right):
        return 0.0, 0.0
    tokens, answer_tokens = predicted.split(), answer.split()
    common = sum((Counter(tokens) & Counter(answer_tokens)).values())
    return (common / len(tokens), common / len(answer_tokens)) if common else (0.0, 0.0)


def harmonic(precision: float, recall: float) -> float:
    """Returns F1: the harmonic mean of precision and recall; 0 if both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def best_subspan_em(row: Graded) -> float:
    """best_subspan_em of Lost in the Middle (arXiv 2307.03172): 1 if an answer occurs in the prediction.

    The answer may occur inside a word. As in the published script, only the first line of the prediction is searched.
    Otherwise a model that copies its passages would score highest.
    """
    predicted = normalize(row.prediction.split("\n")[0].strip(), nfd=False)
    return float(any(normalize(answer, nfd=False) in predicted for answer in row.answers))


def answer_in_reply(row: Graded) -> float:
    """1 if the reply contains an answer as whole words. For labels: 1 if the first label in the reply is right.

    The text after the answer marker is searched; without a marker, the whole reply except its quotes. If this text has
    more than 40 words (REPLY_WORDS), the lenient answer is searched instead. Otherwise a model that copies its passages
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
