"""The structure of `results.json` (one study's figures) and of `predictions/<arm>.jsonl` (its graded replies).

Metrics and other shares are fractions in 0..1. Keys that are not required are absent from files of older versions, or
where they do not apply.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from raft_exp.core.audit import RetrievalFigures
from raft_exp.core.records import read_rows


class Figure(TypedDict):
    """A value with its 95% interval. A figure over runs has the method and the number of training seeds as well."""

    value: float
    low: float
    high: float
    method: NotRequired[str]
    seeds: NotRequired[int]
    df: NotRequired[float | None]  # degrees of freedom; None for one seed, whose interval is over its questions alone


class CountedFigure(Figure):
    """A figure over its own number of cases: quotes, or replies to which it applies."""

    n: int


class Summary(TypedDict):
    """The metrics of an arm, as means over n questions."""

    n: int
    metrics: dict[str, Figure]


class MeanTokens(TypedDict, total=False):
    """Tokens of an answered question on average; empty where no question was answered."""

    prompt: float
    reply: float


class ShownExamples(TypedDict):
    """Worked examples in the prompts of an arm, over all its test questions."""

    mean: float
    fewest: int
    most: int


class ArmResult(Summary):
    """An arm over all test questions. An unanswered question counts as wrong."""

    answered: int  # questions with a reply
    behaviour: NotRequired[dict[str, CountedFigure]]  # quoting, abstaining ... (`scoring.behaviour`)
    tokens: NotRequired[MeanTokens]
    supervised_tokens: NotRequired[int]  # of the arm's training; absent for an arm without one
    examples: NotRequired[ShownExamples]  # absent for an arm that is shown none


class Baseline(Summary):
    """The score of a constant or random label, for closed answers."""

    label: NotRequired[str]  # of the constant baseline


class PairedFigures(TypedDict):
    """A minus B on the same questions; the interval and `p_value` are uncorrected."""

    difference: float
    low: float
    high: float
    p_value: float
    detectable: NotRequired[float]  # the smallest true difference that this test finds with 80% power
    # Corrected over the comparisons of the metric. The primary contrast is uncorrected, and no part of the correction.
    p_value_holm: float


class PairedDifference(PairedFigures):
    """A minus B in one metric."""

    metric: str


class Primary(TypedDict):
    """The metric and the contrast of the verdict, fixed before the run (`evaluation.primary`)."""

    metric: str
    arm: str
    against: str | None  # None: the study has one arm


class Comparison(PairedDifference):
    """Arm `a` minus arm `b`."""

    a: str
    b: str


class LabelScores(TypedDict):
    """One label of a closed-answer test set."""

    precision: float
    recall: float
    f1: float
    n: int


class Classes(TypedDict):
    """An arm's predictions by label."""

    confusion: dict[str, dict[str, int]]  # true label -> predicted label -> questions
    labels: dict[str, LabelScores]


class Candidate(TypedDict):
    """A value that was tried for a setting."""

    name: str
    value: Any  # plain JSON
    mean: float  # of the metric over the arms
    tie_break: NotRequired[float]  # the mean of the metric that decides between equal candidates
    arms: dict[str, CountedFigure]  # the metric on the validation questions


class Choice(TypedDict):
    """A setting that was chosen on validation questions (`choice.json` of a select stage)."""

    setting: str
    metric: str  # the metric that decided
    chosen: str  # name of the candidate
    value: Any
    edge: Literal["lowest", "highest"] | None  # of the grid, if the choice is at one; None without a grid
    candidates: list[Candidate]


class Results(TypedDict):
    """`results.json`."""

    corpus: str  # `corpus.name`
    model: str  # `model.name_or_path`
    seed: int
    overrides: list[str]  # the command line of the run
    arms: dict[str, ArmResult]  # by name, in the order of `evaluation.arms`
    comparisons: list[Comparison]  # the reference arm minus each other arm, in each metric
    detectable: NotRequired[dict[str, dict[str, float]]]  # metric -> other arm -> smallest detectable difference
    conditions: dict[str, dict[str, ArmResult]]  # condition -> arm
    slices: dict[str, dict[str, dict[str, Summary]]]  # slice -> value -> arm
    baselines: dict[str, Baseline]  # empty for open answers
    classes: NotRequired[dict[str, Classes]]  # by arm; empty for open answers
    metrics: list[str]  # the metrics compared, the primary one first
    normalisation: NotRequired[str]  # how replies are compared with answers: as published, or in any language
    reference: str  # the arm that the others are compared with
    primary: NotRequired[Primary]  # the contrast of the verdict
    verdict: str  # the outcome of the primary contrast
    warnings: NotRequired[list[str]]  # what a reader must know before the verdict, one line each
    contrasts: NotRequired[dict[str, list[str]]]  # other arm -> what differs between the reference arm and it
    condition_settings: NotRequired[Mapping[str, Mapping[str, object]]]  # condition -> evaluation settings it changes
    selection: NotRequired[dict[str, Choice]]  # by training; absent where nothing was chosen on validation questions
    retrieval: NotRequired[dict[str, RetrievalFigures]]  # "test" or condition -> figures


class SeedFigures(TypedDict):
    """One metric of one arm over runs that differ in their seed."""

    mean: float
    deviation: float | None  # of a sample (n-1); None for one seed
    values: dict[str, float]  # by seed


class ShownPassage(TypedDict):
    """A passage of the context."""

    id: str
    gold: bool


class Quote(TypedDict):
    """A quote of a reply."""

    text: str
    verbatim: bool  # it occurs in a passage of the context, white space aside
    gold: bool  # it occurs in a gold passage of the context


class SupportingSentences(TypedDict, total=False):
    """The supporting facts of a prediction; absent where the corpus names none, or the arm is not asked to quote."""

    supporting_facts: list[tuple[str, int]]  # quoted sentences: title of the passage and sentence number


class Prediction(SupportingSentences):
    """One row of `predictions/<arm>.jsonl`: a question with an arm's reply and its grades."""

    id: str
    question: str
    answers: list[str]
    context: list[ShownPassage]  # empty for arms without passages
    raw: str  # the whole reply; "" for an unanswered question
    prediction: str  # the text after the answer marker
    lenient: NotRequired[str]  # the answer found in the reply in any form
    parsed: bool  # the reply has the requested form
    truncated: bool
    abstained: NotRequired[bool]
    quotes: list[Quote]
    supported: NotRequired[bool | None]  # the answer occurs in a verbatim quote; None where that cannot be decided
    metrics: dict[str, float]  # those that a single row has


def read_predictions(path: Path) -> Iterator[Prediction]:
    """The rows of a predictions file. Raises DataError naming file and line for lines that are not JSON."""
    rows: Iterator[Any] = read_rows(path)
    yield from rows
