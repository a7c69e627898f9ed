"""What a reply is worth. One metric is one function and one line in METRICS; PROFILES says which corpus reports it.

A metric looks at one `Graded` reply and gives a value in 0..1; the corpus's figure is the mean of these. A metric that
is no mean (macro F1) gives what it needs from each row, and an `aggregate` that makes the figure out of counted rows.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Normalize = Callable[[str], str]
Facts = frozenset[tuple[str, int]]  # sentences: passage id and number
Counts = NDArray[np.int64]
Figures = NDArray[np.float64]
Aggregate = Callable[[Sequence[Any], Counts], Figures]

LABELS = ("yes", "no", "maybe")
_LABEL = re.compile(rf"(?<!\w)({'|'.join(LABELS)})(?!\w)")
_QUOTED = re.compile(r"##begin_quote##.*?(?:##end_quote##|$)", re.DOTALL)
_MARKER = re.compile(r"##\w+(?:##|:)")
_DELETE_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NEVER_PARTLY_RIGHT = ("yes", "no", "noanswer")


@dataclass(frozen=True)
class Graded:
    """One reply beside its gold answers. `prediction` is what stands after the answer marker, `raw` the whole reply."""

    answers: Sequence[str]
    prediction: str
    raw: str
    normalize: Normalize
    facts: Facts = frozenset()  # the sentences that support the answer
    quoted: Facts = frozenset()  # those that the reply quotes


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


def exact_match(row: Graded) -> float:
    """SQuAD's, HotpotQA's and NQ-open's: equal after normalisation to any of the answers."""
    predicted = row.normalize(row.prediction)
    return float(any(predicted == row.normalize(answer) for answer in row.answers))


def f1(row: Graded) -> float:
    """HotpotQA's token F1, best over the answers; yes, no and noanswer are never partly right."""
    predicted = row.normalize(row.prediction)
    return max(_harmonic(*_answered(predicted, row.normalize(answer))) for answer in row.answers)


def supporting_em(row: Graded) -> float:
    """HotpotQA's: the reply quotes the supporting sentences and no others."""
    return float(row.quoted == row.facts)


def supporting_f1(row: Graded) -> float:
    """HotpotQA's, over sentences."""
    return _harmonic(*_supported(row))


def joint_em(row: Graded) -> float:
    """HotpotQA's: answer and supporting sentences are both exact."""
    return exact_match(row) * supporting_em(row)


def joint_f1(row: Graded) -> float:
    """HotpotQA's: of the products of both precisions and of both recalls."""
    predicted, (precision, recall) = row.normalize(row.prediction), _supported(row)
    answered = [_answered(predicted, row.normalize(answer)) for answer in row.answers]
    return max(_harmonic(found[0] * precision, found[1] * recall) for found in answered)


def _answered(predicted: str, answer: str) -> tuple[float, float]:
    """Precision and recall of the answer's tokens."""
    if predicted != answer and (predicted in _NEVER_PARTLY_RIGHT or answer in _NEVER_PARTLY_RIGHT):
        return 0.0, 0.0
    tokens, wanted = predicted.split(), answer.split()
    common = sum((Counter(tokens) & Counter(wanted)).values())
    return (common / len(tokens), common / len(wanted)) if common else (0.0, 0.0)


def _supported(row: Graded) -> tuple[float, float]:
    """Precision and recall of the quoted sentences."""
    common = len(row.quoted & row.facts)
    return (common / len(row.quoted), common / len(row.facts)) if common else (0.0, 0.0)


def _harmonic(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def best_subspan_em(row: Graded) -> float:
    """lost-in-the-middle's (arXiv 2307.03172): an answer stands anywhere in the prediction, even inside a word."""
    said = normalize(row.prediction, nfd=False)
    return float(any(normalize(answer, nfd=False) in said for answer in row.answers))


def answer_in_reply(row: Graded) -> float:
    """Lenient: does the reply name the answer? It also serves replies that do not keep to the answer form.

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


def labels(row: Graded) -> tuple[str, str]:
    """What macro F1 needs from a row: the true label and the predicted one."""
    return row.answers[0], decision(row.prediction)


def mean(values: Sequence[float], counts: Counts) -> Figures:
    """The means of B samples, (B,); `counts` (B, M) says how often each of the M `values` stands in each sample."""
    result: Figures = counts @ np.asarray(values, dtype=np.float64) / counts.sum(axis=1)
    return result


def macro_f1(pairs: Sequence[tuple[str, str]], counts: Counts) -> Figures:
    """The macro F1 of B samples, (B,); `counts` (B, M) counts the M (true, predicted) `pairs`.

    The average goes over the labels that a sample holds, as truth or as prediction: a stray prediction adds a class.
    """
    number = {label: index for index, label in enumerate(sorted({label for pair in pairs for label in pair}))}
    truth = np.array([number[true] for true, _ in pairs])
    predicted = np.array([number[label] for _, label in pairs])
    held = _by_class(counts, truth, len(number)) + _by_class(counts, predicted, len(number))
    right = _by_class(counts * (truth == predicted), truth, len(number))
    scores = np.divide(2 * right, held, out=np.zeros(held.shape), where=held > 0)
    result: Figures = scores.sum(axis=1) / (held > 0).sum(axis=1)
    return result


def _by_class(counts: Counts, classes: NDArray[np.int64], number: int) -> Counts:
    """Adds up the columns of each class, (B, M) -> (B, number): in time B * M, however many stray classes there are."""
    order = np.argsort(classes, kind="stable")
    present, starts = np.unique(classes[order], return_index=True)
    sums = np.zeros((len(counts), number), dtype=np.int64)
    sums[:, present] = np.add.reduceat(counts[:, order], starts, axis=1)
    return sums


@dataclass(frozen=True)
class Metric:
    """`share`: each row is worth 0 or 1, so that exact methods hold (Wilson, McNemar).

    `of_quotes`: it is about what a reply quotes, and an arm that is not asked to reason does not have it.
    """

    observe: Callable[[Graded], Any]
    share: bool = False
    aggregate: Aggregate = mean
    of_quotes: bool = False

    @property
    def per_row(self) -> bool:
        """Whether a single row has a value of its own."""
        return self.aggregate is mean


METRICS: dict[str, Metric] = {
    "accuracy": Metric(accuracy, share=True),
    "macro_f1": Metric(labels, aggregate=macro_f1),
    "exact_match": Metric(exact_match, share=True),
    "f1": Metric(f1),
    "answer_in_reply": Metric(answer_in_reply, share=True),
    "best_subspan_em": Metric(best_subspan_em, share=True),
    "supporting_em": Metric(supporting_em, share=True, of_quotes=True),
    "supporting_f1": Metric(supporting_f1, of_quotes=True),
    "joint_em": Metric(joint_em, share=True, of_quotes=True),
    "joint_f1": Metric(joint_f1, of_quotes=True),
}


@dataclass(frozen=True)
class Profile:
    """How a corpus is scored. The first metric is the one that the verdict speaks of."""

    metrics: tuple[str, ...]
    normalize: Normalize
    closed: bool = False  # the answers are labels: the majority label is a baseline

    @property
    def of_quotes(self) -> bool:
        """Whether the data set names the sentences that support an answer."""
        return any(METRICS[name].of_quotes for name in self.metrics)


_OPEN = ("exact_match", "f1", "answer_in_reply")
_SUPPORTING = ("supporting_f1", "joint_f1", "supporting_em", "joint_em")
_OFFICIAL, _NFD = partial(normalize, nfd=False), partial(normalize, nfd=True)

PROFILES: dict[str, Profile] = {
    "pubmedqa": Profile(("accuracy", "macro_f1", *_OPEN), _OFFICIAL, closed=True),
    "hotpotqa": Profile((*_OPEN, *_SUPPORTING), _OFFICIAL),
    "natural_questions": Profile((*_OPEN, "best_subspan_em"), _NFD),
}


def profile(corpus: str) -> Profile:
    """The scoring of a corpus; one that has none of its own is scored as NQ-open is."""
    return PROFILES.get(corpus, Profile(_OPEN, _NFD))
