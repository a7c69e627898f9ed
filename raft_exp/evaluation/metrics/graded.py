"""The input of a metric (`Graded`) and its definition (`Metric`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from raft_exp.evaluation.metrics.comparison import Comparison

TOKENIZER = "13a"  # sacrebleu's default: for languages with spaces between words

Facts = frozenset[tuple[str, int]]  # sentences: (title of the passage, sentence number)
Counts = NDArray[np.int64]
Figures = NDArray[np.float64]


class Vectors(Protocol):
    """Encodes texts as vectors of length 1."""

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        """Returns the vectors of the texts, shape (texts, dimensions)."""

    def tokens(self, texts: Sequence[str], /) -> list[NDArray[np.float32]]:
        """Returns the vectors of the tokens of each text, shape (tokens, dimensions)."""


# What a metric computes for one row: a number; for a metric that is not a mean, a tuple of hashable, sortable values.
Observation: TypeAlias = "float | str | tuple[Observation, ...]"
MaybeObservation: TypeAlias = "Observation | None"  # None: the metric leaves the row out
# (M distinct observations, how often each occurs in B samples: shape (B, M)) -> the figures of the samples: shape (B,)
Aggregate = Callable[[Sequence[Any], Counts], Figures]  # Any: each metric aggregates its own kind of observation


def number(observation: Observation) -> float:
    """Returns an observation as a number. Raises AssertionError for an observation that is a label or a tuple."""
    assert isinstance(observation, float | int), "a metric with a value for each row observes numbers"
    return observation


CallClass = Literal["right", "same_domain", "other_api", "invented", "unparsed"]  # see `evaluation.api_strict`
DomainClass = Literal["right", "wrong", "hallucination"]  # see `evaluation.api_domain`


@dataclass(frozen=True)
class ApiGrade:
    """The grades of the API call in a reply, by comparison with the documentation."""

    call: CallClass  # of a reply in the requested form; of another form "unparsed"
    lenient: CallClass  # of a reply of any form
    domain: DomainClass  # by the rule of APIBench's authors, of a reply of any form


@dataclass(frozen=True)
class Graded:
    """A parsed reply, with the reference answers and facts that metrics compare it with."""

    answers: Sequence[str]
    prediction: str  # the text after the answer marker; "" where the reply has no marker
    raw: str  # the whole reply
    normalize: Comparison
    lenient: str = ""  # the answer found in the reply, whatever form the reply has (`raft_exp.prompts.lenient`)
    facts: Facts = frozenset()  # the sentences that support the answer, according to the data set
    quoted: Facts = frozenset()  # the sentences that the reply quotes
    planted: str = ""  # the false answer in the false passage of the context; "" for none
    api: ApiGrade | None = None  # None: the study has no documentation of APIs
    # With evaluation.reference=long_answer or target: the long text of the reply (`evaluation.long_text`), and the
    # long reference. None: metrics of wording compare the prediction with the answers.
    long_text: str = ""
    long_reference: str | None = None
    tokenizer: str = TOKENIZER  # sacrebleu's tokenizer for BLEU

    @property
    def text(self) -> str:
        """The text that metrics of wording compare with `references`."""
        return self.prediction if self.long_reference is None else self.long_text

    @property
    def references(self) -> Sequence[str]:
        """The texts that metrics of wording compare `text` with; at least one."""
        return self.answers if self.long_reference is None else [self.long_reference]


Batch = Callable[[Sequence[Graded], Vectors], Sequence[float]]


def mean(values: Sequence[float], counts: Counts) -> Figures:
    """Returns the means of B samples, shape (B,). `counts`: shape (B, M), how often each value is in each sample."""
    result: Figures = counts @ np.asarray(values, dtype=np.float64) / counts.sum(axis=1)
    return result


@dataclass(frozen=True)
class Metric:
    """The definition of a metric: `observe` scores a single row, or `batch` scores all rows of an arm in one call.

    `share`: whether each row scores 0 or 1, so that methods for shares apply (Wilson interval, McNemar test).
    `aggregate`: function that computes the figure from the observations; the mean by default.
    `of_quotes`: whether the metric grades quoted sentences. It is left out for arms whose prompt requests no reasoning.
    `batch`: function of a metric that needs a model.
    `of_pair`: replaces `observe` in metrics of two replies to one question (`metrics.abstention`).
    `of_apis`: whether the metric compares calls with the documentation of APIs.
    `of_wording`: whether the metric compares texts, so that `evaluation.reference` decides which ones.
    `automatic`: names the studies that report the metric without a setting; "" for other metrics.
    """

    observe: Callable[[Graded], Observation] | None = None
    share: bool = False
    aggregate: Aggregate = mean
    of_quotes: bool = False
    batch: Batch | None = None
    of_pair: Callable[[Any], Observation] | None = None  # Any: an `abstention.Pair`, whose module imports this one
    automatic: str = ""
    of_apis: bool = False
    of_wording: bool = False

    @property
    def reads_corpus(self) -> bool:
        """Whether the metric needs the passages and questions of the study."""
        return self.of_quotes or self.of_apis

    @property
    def per_row(self) -> bool:
        """Whether the figure is the mean of one value per row."""
        return self.aggregate is mean
