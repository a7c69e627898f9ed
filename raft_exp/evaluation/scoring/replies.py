"""Parses and grades replies. Each reply gives a row of `predictions/<arm>.jsonl` and an observation for each metric."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer, ContextPassage, Example
from raft_exp.core.text import answer_pattern
from raft_exp.evaluation import long_text
from raft_exp.evaluation.api_documentation import ApiDocumentation
from raft_exp.evaluation.metrics import (
    FOLLOWS,
    LABELS,
    METRICS,
    Graded,
    MaybeObservation,
    Metric,
    Observation,
    Profile,
    Vectors,
    decision,
    number,
)
from raft_exp.evaluation.results import Prediction, Quote
from raft_exp.evaluation.supporting_facts import SupportingFacts
from raft_exp.prompts import ParsedReply, ReplyFormat, lenient, parse, quotes
from raft_exp.prompts.refusals import abstained


@dataclass(frozen=True)
class ScoredArm:
    """The predictions of an arm and the observations of its metrics, in the order of the test questions.

    `observed` maps the name of a metric, or of a share such as `parsed`, to observations. Metrics of quotes are present
    only for arms whose prompt asks for quotes. The observation None leaves a question without a long reference out of a
    metric of wording.
    """

    rows: list[Prediction]
    observed: dict[str, list[MaybeObservation]]
    answers: list[Answer | None]  # None: not answered

    @property
    def answered(self) -> int:
        """The number of questions with an answer."""
        return sum(answer is not None for answer in self.answers)


@dataclass(frozen=True)
class Grading:
    """The settings by which the replies of an arm are graded."""

    profile: Profile
    shown: bool  # the prompts of the arm contain passages
    reply_format: ReplyFormat  # the requested form of a reply
    reasons: bool = False  # the prompt asks for reasoning before the answer
    refusal: str = ""  # the text of a refusal in this study
    supporting: SupportingFacts | None = None  # for data sets that name the sentences that support an answer
    vectors: Vectors | None = None  # for metrics that need the encoder
    min_quote_words: int = quotes.MIN_WORDS  # shorter quotes never count as verbatim
    apis: ApiDocumentation | None = None  # for metrics that compare calls of APIs
    references: Mapping[str, str] = field(default_factory=dict)  # question id -> its long reference, where it has one

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics that apply to the arm, by name.

        Metrics of reasoning and of quotes need a prompt that requests it. Metrics of quotes also need `supporting`.
        Metrics of API calls need `apis`.
        """
        metrics = {name: METRICS[name] for name in self.profile.metrics}
        left_out = {FOLLOWS} if not self.shown else set()
        return {
            name: metric
            for name, metric in metrics.items()
            if name not in left_out
            and (self.reasons or not self.profile.of_reasons(name))
            and (self.supporting is not None or not metric.of_quotes)
            and (self.apis is not None or not metric.of_apis)
        }

    def lacks_reference(self, metric: Metric, example: Example) -> bool:
        """Whether a question has no long reference for a metric that compares with one."""
        return metric.of_wording and self.profile.reference != "answers" and example.id not in self.references


def score_arm(name: str, examples: Sequence[Example], answers: Iterable[Answer], grading: Grading) -> ScoredArm:
    """Grades the answers of the arm `name`. A question without an answer counts as wrong.

    Raises DataError for an answer to a question that is not in `examples`, and for two answers to one question.
    """
    by_id = _by_id(name, examples, answers)
    replies = [by_id.get(example.id) for example in examples]
    rows: list[Prediction] = []
    graded_rows: list[Graded] = []
    observed: dict[str, list[MaybeObservation]] = defaultdict(list)
    for example, answer in zip(examples, replies, strict=True):
        graded, row, observations = _score_row(example, answer, grading)
        rows.append(row)
        graded_rows.append(graded)
        for metric, observation in observations.items():
            observed[metric].append(observation)
    for metric, values in _batches(examples, graded_rows, replies, grading).items():
        observed[metric] = list(values)
        for row, value in zip(rows, values, strict=True):
            if value is not None:
                row["metrics"][metric] = value
    measured = {name: column for name, column in observed.items() if any(one is not None for one in column)}
    return ScoredArm(rows, measured, replies)


def _by_id(name: str, examples: Sequence[Example], answers: Iterable[Answer]) -> dict[str, Answer]:
    ids = {example.id for example in examples}
    by_id: dict[str, Answer] = {}
    for answer in answers:
        if answer.id not in ids:
            raise DataError(
                f"arm {name}: has an answer to {answer.id!r}, which is no test question; run the study again"
            )
        if answer.id in by_id:
            raise DataError(
                f"arm {name}: has two answers to {answer.id!r}; remove one of them from the arm's answers.jsonl"
            )
        by_id[answer.id] = answer
    return by_id


def _score_row(
    example: Example, answer: Answer | None, grading: Grading
) -> tuple[Graded, Prediction, dict[str, MaybeObservation]]:
    raw, truncated = (answer.raw, answer.truncated) if answer else ("", False)
    reply = parse(raw, grading.reply_format)
    context = example.context if grading.shown else []
    lenient_answer = lenient.extract(raw, LABELS if grading.profile.closed else (), example.question)
    graded = Graded(
        example.answers,
        reply.prediction,
        raw,
        grading.profile.normalize,
        lenient_answer,
        planted=example.planted if grading.shown else "",
        tokenizer=grading.profile.tokenizer,
    )
    if (reference := grading.references.get(example.id)) is not None:
        written = long_text.of_reply(reply, grading.profile.closed)
        graded = replace(graded, long_text=written, long_reference=reference)
    if grading.supporting and grading.reasons:
        quoted = grading.supporting.quoted(reply.quotes, context, grading.min_quote_words)
        graded = replace(graded, facts=grading.supporting.named(example.id), quoted=quoted)
    answered = reply.prediction or lenient.said(raw, example.question).text
    if grading.apis:
        graded = replace(graded, api=grading.apis.grade(example.id, reply.prediction, answered))
    observations = {
        name: None if grading.lacks_reference(metric, example) else _observe(metric, graded, answer)
        for name, metric in grading.metrics.items()
        if metric.observe
    }
    checked = check_quotes(reply.quotes, context, grading.min_quote_words)
    declines = abstained(answered, grading.refusal, example.question)
    row: Prediction = {
        "id": example.id,
        "question": example.question,
        "answers": example.answers,
        "context": [{"id": passage.id, "gold": passage.gold} for passage in context],
        "raw": raw,
        "prediction": reply.prediction,
        "lenient": lenient_answer,
        "parsed": reply.parsed,
        "truncated": truncated,
        "abstained": declines,
        "quotes": checked,
        "supported": None if declines or not grading.reasons else _supported(example, reply, checked, grading.profile),
        "metrics": {
            name: number(value) for name, value in observations.items() if value is not None and METRICS[name].per_row
        },
    }
    if grading.supporting and grading.reasons:
        row["supporting_facts"] = sorted(graded.quoted)
    if example.planted and grading.shown:
        row["planted"] = example.planted
    if graded.api:
        row["api"] = {"call": graded.api.call, "domain": graded.api.domain}
    if graded.long_reference is not None:
        row["long_reference"] = graded.long_reference
    if answer is not None and answer.log_probability is not None:
        row["log_probability"] = answer.log_probability
    empty = answer is not None and not raw.strip()
    shares = {"parsed": float(reply.parsed), "truncated": float(truncated), "empty": float(empty)}
    return graded, row, {**observations, **shares}


def _observe(metric: Metric, graded: Graded, answer: Answer | None) -> Observation:
    assert metric.observe is not None, "metrics of all rows at once have no observation of a row"
    # An answer that normalises to nothing ("A") would equal the missing reply.
    return 0.0 if metric.per_row and answer is None else metric.observe(graded)


def _batches(
    examples: Sequence[Example], rows: Sequence[Graded], answers: Sequence[Answer | None], grading: Grading
) -> dict[str, list[float | None]]:
    """Returns the values of the metrics with `Metric.batch`, one per row.

    An unanswered question has the value 0, and a question without a long reference None.
    """
    columns: dict[str, list[float | None]] = {}
    for name, metric in grading.metrics.items():
        if metric.batch:
            assert grading.vectors is not None, f"{name} needs an encoder"
            compared = [not grading.lacks_reference(metric, example) for example in examples]
            scored = [
                row for row, answer, has in zip(rows, answers, compared, strict=True) if has and answer is not None
            ]
            values = iter(metric.batch(scored, grading.vectors) if scored else [])
            columns[name] = [
                None if not has else 0.0 if answer is None else next(values)
                for answer, has in zip(answers, compared, strict=True)
            ]
    return columns


def check_quotes(
    texts: Sequence[str], context: Sequence[ContextPassage], min_words: int = quotes.MIN_WORDS
) -> list[Quote]:
    """Returns for each quote whether it occurs word for word in a passage of the context, and in a gold passage.

    `min_words`: a quote of fewer words never counts as verbatim (`prompts.quotes`).
    """
    checked: list[Quote] = []
    for text in texts:
        gold_flags = [passage.gold for passage in context if quotes.find(text, passage.text, passage.title, min_words)]
        checked.append({"text": text, "verbatim": bool(gold_flags), "gold": any(gold_flags)})
    return checked


def _supported(example: Example, reply: ParsedReply, checked: Sequence[Quote], profile: Profile) -> bool | None:
    """Whether the answer of a reply occurs, as whole words, in one of its verbatim quotes.

    Returns None for replies that lack the requested form, and for questions whose answers are labels.
    """
    if not reply.parsed or all(decision(answer) in LABELS for answer in example.answers):
        return None
    answer = answer_pattern([reply.prediction], profile.form)
    return answer is not None and any(answer.search(quote["text"]) for quote in checked if quote["verbatim"])
