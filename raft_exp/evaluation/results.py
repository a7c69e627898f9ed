"""Types of `results.json` (the figures of a study) and of `predictions/<arm>.jsonl` (its graded replies).

Metrics and other shares are fractions in 0..1. Keys marked `NotRequired` are absent where they do not apply, and in
files of older versions.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from raft_exp.core.audit import RetrievalFigures
from raft_exp.core.records import read_rows


class Figure(TypedDict):
    """A value with its 95% confidence interval. Only comparisons of runs have `method`, `seeds` and `df`."""

    value: float
    low: float
    high: float
    method: NotRequired[str]  # how the interval was computed
    seeds: NotRequired[int]  # number of training seeds
    df: NotRequired[float | None]  # degrees of freedom; None for one seed: its interval is over questions only


class CountedFigure(Figure):
    """A figure with `n`, the number of cases (questions, replies, quotes, claims ...) that it is computed from."""

    n: int


class Summary(TypedDict):
    """The metrics of an arm over n questions."""

    n: int
    metrics: dict[str, Figure]


class MeanTokens(TypedDict, total=False):
    """Mean number of tokens per answered question; {} if no question was answered."""

    prompt: float
    reply: float


class ShownExamples(TypedDict):
    """The mean, smallest and largest number of worked examples in a prompt, over all test questions of an arm."""

    mean: float
    fewest: int
    most: int


class CitationFigures(TypedDict, total=False):
    """Recall and precision of an arm's citations (`evaluation.citations`). A figure without cases is absent."""

    recall: CountedFigure  # share of the claims that their cited passages support; n: claims
    precision: CountedFigure  # share of the cited passages that support their claim; n: cited passages
    cut: int  # number of texts of cited passages that were too long for the model of evaluation.nli


class ArmResult(Summary):
    """The figures of an arm over all test questions. An unanswered question counts as wrong."""

    answered: int  # questions with a reply
    behaviour: NotRequired[dict[str, CountedFigure]]  # quoting, abstaining ... (`scoring.behaviour`)
    tokens: NotRequired[MeanTokens]
    supervised_tokens: NotRequired[int]  # target tokens in the arm's training; absent for an untrained arm
    examples: NotRequired[ShownExamples]  # absent for an arm without worked examples
    # Share of the quotes that are not verbatim (`Quote`). Absent for an arm whose prompt asks for no quotes, and for an
    # arm that quotes nothing.
    invented_quotes: NotRequired[CountedFigure]
    citations: NotRequired[dict[str, CitationFigures]]  # by who decides on support: "nli", "judge"


class Baseline(Summary):
    """The scores of a baseline without a model: it always predicts one label, or a random label."""

    label: NotRequired[str]  # of the constant baseline


class PairedFigures(TypedDict):
    """The difference of two figures (A minus B) on the same questions.

    The interval and `p_value` are not corrected for several comparisons.
    """

    difference: float
    low: float
    high: float
    p_value: float
    detectable: NotRequired[float]  # the smallest true difference that this test detects with 80% power
    # Corrected over the comparisons of the metric. The primary contrast is neither corrected nor counted among them.
    p_value_holm: float


class PairedDifference(PairedFigures):
    """The difference of two figures in one metric."""

    metric: str


class Primary(TypedDict):
    """The metric and the two arms of the verdict, fixed before the run (`evaluation.primary`)."""

    metric: str
    arm: str
    against: str | None  # None: the study has one arm


class Comparison(PairedDifference):
    """The difference of two arms (arm `a` minus arm `b`) in one metric."""

    a: str
    b: str


class LabelScores(TypedDict):
    """The scores of one label. `n`: number of test questions whose answer is this label."""

    precision: float
    recall: float
    f1: float
    n: int


class Classes(TypedDict):
    """An arm's predictions of labels: confusion matrix and scores of each label."""

    confusion: dict[str, dict[str, int]]  # true label -> predicted label -> questions
    labels: dict[str, LabelScores]


class Candidate(TypedDict):
    """One of the values that a select stage compared for a setting."""

    name: str
    value: Any  # plain JSON
    mean: float  # of the metric over the arms
    tie_break: NotRequired[float]  # mean of a second metric, which decides between candidates with equal means
    arms: dict[str, CountedFigure]  # the metric of each arm on the validation questions


class Choice(TypedDict):
    """A setting that was chosen on validation questions (`choice.json` of a select stage)."""

    setting: str
    metric: str  # the metric that decided
    chosen: str  # name of the candidate
    value: Any
    edge: Literal["lowest", "highest"] | None  # set if the chosen value is the first or last of a grid of numbers
    candidates: list[Candidate]


class PromptLength(TypedDict):
    """The length of the prompts of a test set."""

    passages: float  # mean number of passages
    tokens: float  # median


class TransferResult(TypedDict):
    """The figures on the test questions of another corpus (`transfer.json` of a transfer stage)."""

    corpus: str  # its `corpus.name`
    n: int
    metrics: list[str]  # the metrics of that corpus, its default one first
    arms: dict[str, Summary]
    comparisons: list[Comparison]  # each arm with weights of its own minus the untrained arm with equal contexts


class Divergence(TypedDict):
    """How much an arm's weights change the predictions on a general text (`kl.json` of a kl stage)."""

    kl: float  # mean KL(base || arm) of the next token's distribution, in nats per token
    tokens: int
    base_loss: float  # mean negative log-likelihood of the text by the base model, in nats per token
    loss: float  # the same, by the model with the arm's weights


class Abstention(TypedDict):
    """Refusals in two tests on the same questions: a condition without gold, and a test with gold.

    The figures of the arms (refusal_precision, refusal_recall ...) are in `conditions` of results.json.
    """

    with_gold: str  # "test", or the condition whose contexts have the gold
    right: str  # the metric that says whether an answer is right
    n: int  # questions with all their gold in the one context and none in the other
    comparisons: list[Comparison]  # the reference arm minus each other arm
    curves: dict[str, list[tuple[float, float]]]  # arm -> (coverage, risk); only arms with token probabilities


class Conflict(TypedDict):
    """A test with a false passage in each context. The figures `follows_false_passage` are in the arms' metrics."""

    n: int  # questions with a false passage
    left_out: dict[str, int]  # reason -> questions that cannot have a false passage
    without: dict[str, Summary]  # arm -> figures on the same questions in the study's test; {} if this is that test
    comparisons: list[Comparison]  # the reference arm minus each other arm


class Wording(TypedDict):
    """The texts that metrics of wording (BLEU, ROUGE, chrF, similarities) compare replies with."""

    reference: Literal["answers", "long_answer", "target"]
    questions: int  # test questions with such a text
    missing: int  # test questions without one, which these metrics leave out
    unspaced: int  # texts in a script that writes no spaces between words
    tokenizer: str  # sacrebleu's, for BLEU
    bleu: NotRequired[str]  # sacrebleu's description of BLEU


class JudgeFigure(TypedDict):
    """The mean of a judge's values in one task. Without values, `value`, `low` and `high` are None."""

    value: float | None
    low: float | None
    high: float | None
    n: int  # replies with a value
    missing: int  # replies without one: the judge gave no usable reply


class JudgedPair(JudgeFigure):
    """How often a judge prefers the reply of arm `a` to that of arm `b` (1: always, 0.5: as often as not, 0: never).

    Each question is judged in both orders. `n`: questions with a value. A disagreement of the orders counts 0.5.
    """

    a: str
    b: str
    first_position: float | None  # share of the single decisions, ties left out, for the reply that was shown first
    disagreed: int  # questions on which the two orders have different winners


class CorrectedFigure(Figure):
    """A judge's figure after its correction by labels of people (`statistics.judged`)."""

    n: int  # replies to which the task applies, those without a judgement included
    labels: int  # labelled replies among them


class CorrectedComparison(TypedDict):
    """The difference of two corrected figures (arm `a` minus arm `b`) on the questions that both arms have."""

    a: str
    b: str
    metric: str  # the task
    difference: float
    low: float
    high: float
    n: int  # questions
    labels: int  # questions with a label for both arms


class Corrected(TypedDict):
    """Figures of a judge after their correction by labels of people."""

    arms: dict[str, dict[str, CorrectedFigure]]  # task -> arm
    comparisons: list[CorrectedComparison]  # the reference arm minus each other arm
    too_few: dict[str, dict[str, int]]  # task -> arm -> its labels, where they are too few for a corrected figure


class JudgeErrors(TypedDict):
    """The labelled replies of an arm, and on how many of them the judge's value is higher or lower than the label."""

    labels: int
    higher: int
    lower: int


class Agreement(TypedDict):
    """How well a judge agrees with the labels in one task. Replies without a judgement are left out."""

    kappa: float | None  # Cohen's kappa over all arms; None where all judgements and labels are equal
    low: float | None
    high: float | None
    n: int  # labelled replies
    arms: dict[str, JudgeErrors]


class JudgeResults(TypedDict):
    """The figures of a judge (`evaluation.judge`). Only those in `corrected` are corrected by labels of people."""

    model: str
    tasks_versions: dict[str, str]  # setting of the task -> name and version of its file
    tasks: dict[str, dict[str, JudgeFigure]]  # task -> arm
    comparisons: list[Comparison]  # the reference arm minus each other arm; `metric` is the task
    pairs: list[JudgedPair]  # the reference arm and each other arm
    replies: int  # of the judge; a reply that arms share counts once; those of an earlier study count too
    prompt_tokens: int
    new_tokens: int
    cost: float | None  # in the currency of evaluation.judge.prices; None: unknown
    corrected: NotRequired[Corrected]  # absent without labels
    agreement: NotRequired[dict[str, Agreement]]  # by task; absent without labels


class ArmPair(TypedDict):
    """Two arms, and a list of what differs between them (`differ`).

    If the list has one entry, a comparison of the two arms shows the effect of this entry alone.
    """

    a: str
    b: str
    differ: list[str]


class Results(TypedDict):
    """The content of `results.json` in a run folder."""

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
    pairs: NotRequired[list[ArmPair]]  # what differs between the arms of each pair without the reference arm
    condition_settings: NotRequired[Mapping[str, Mapping[str, object]]]  # condition -> settings that it changes
    selection: NotRequired[dict[str, Choice]]  # by training; absent where nothing was chosen on validation questions
    retrieval: NotRequired[dict[str, RetrievalFigures]]  # "test" or condition -> figures
    lengths: NotRequired[dict[str, PromptLength]]  # "test" or condition -> length; absent without conditions
    abstention: NotRequired[dict[str, Abstention]]  # by condition without gold; absent without one
    conflict: NotRequired[dict[str, Conflict]]  # by condition with conflict=true, or "test"; absent without one
    transfer: NotRequired[dict[str, TransferResult]]  # by name in evaluation.transfer; absent without it
    kl: NotRequired[dict[str, Divergence]]  # by arm; absent without evaluation.kl
    judge: NotRequired[JudgeResults]  # absent without evaluation.judge
    wording: NotRequired[Wording]  # absent where replies are compared with answers, and BLEU is no metric of the study


class SeedFigures(TypedDict):
    """One metric of one arm, over runs that differ only in their seed."""

    mean: float
    deviation: float | None  # sample standard deviation (n-1); None for one seed
    values: dict[str, float]  # by seed


class ShownPassage(TypedDict):
    """A passage in the context of a prediction."""

    id: str
    gold: bool


class Quote(TypedDict):
    """A quote in a reply."""

    text: str
    # It has at least evaluation.min_quote_words words, and occurs in a passage of the context by the comparison of
    # `prompts.quotes`, which ignores white space and punctuation, for example.
    verbatim: bool
    gold: bool  # the same for the gold passages of the context


class PredictedApi(TypedDict):
    """The grades of the API call in a prediction, by comparison with the documentation."""

    call: Literal["right", "same_domain", "other_api", "invented", "unparsed"]  # `evaluation.api_strict`
    domain: Literal["right", "wrong", "hallucination"]  # by the rule of APIBench's authors (`evaluation.api_domain`)


class ClaimRow(TypedDict):
    """A claim of a reply, and the passages that it cites (`evaluation.citations`)."""

    claim: str
    answer: bool  # a sentence of the answer; False: of the reasoning
    passages: list[str]  # ids of the cited passages
    supporting: list[str]  # ids of those that support the claim, alone or as a needed part
    supported: bool  # whether the cited passages, alone or together, support the claim


class ShownJudgement(TypedDict):
    """A judge's judgement of a reply in one task."""

    value: float | None  # None: missing
    words: str  # the judge's reason; "" for a missing value
    missing: NotRequired[str]  # why the value is missing


class SpecialKeys(TypedDict, total=False):
    """Further keys of a prediction, which are absent where they do not apply."""

    # The sentences that the reply quotes (title of the passage, sentence number), if the corpus names supporting facts.
    supporting_facts: list[tuple[str, int]]
    api: PredictedApi  # of corpus=apibench
    planted: str  # the false answer of the context's false passage
    long_reference: str  # with evaluation.reference=long_answer or target, for a question that has one
    claims: list[ClaimRow]  # with evaluation.nli, where the arm's prompt shows passages and asks for quotes
    judge: dict[str, ShownJudgement]  # by task, with evaluation.judge; a task that does not apply is absent
    log_probability: float  # mean over the tokens of the reply, where the engine returned it
    # Under a condition without gold: the outcome of the question with gold in the context, then without. An outcome is
    # [refuses, answers, answers right], each 0 or 1, followed by the log probability where it is known.
    outcomes: list[list[float]]


class Prediction(SpecialKeys):
    """One row of `predictions/<arm>.jsonl`: a question, an arm's reply, and the scores of the reply."""

    id: str
    question: str
    answers: list[str]
    context: list[ShownPassage]  # empty for arms without passages
    raw: str  # the whole reply; "" for an unanswered question
    prediction: str  # the text after the answer marker
    lenient: NotRequired[str]  # the answer found in the reply, whatever form the reply has (`prompts.lenient`)
    parsed: bool  # the reply has the requested form
    truncated: bool
    abstained: NotRequired[bool]
    quotes: list[Quote]
    # The answer occurs in a verbatim quote. None for a refusal, for a reply without the requested form, for answers
    # that are labels, and for an arm whose prompt asks for no reasoning.
    supported: NotRequired[bool | None]
    metrics: dict[str, float]  # without metrics that are defined over many rows only


def read_predictions(path: Path) -> Iterator[Prediction]:
    """Yields the rows of a predictions file. Raises DataError, which names file and line, if a line is not JSON."""
    rows: Iterator[Any] = read_rows(path)
    yield from rows
