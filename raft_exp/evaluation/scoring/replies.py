"""Each reply parsed and graded: what a row of `predictions/<arm>.jsonl` says of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer, ContextPassage, Example
from raft_exp.core.text import answer_pattern, normalise
from raft_exp.evaluation.metrics import LABELS, METRICS, Graded, Metric, Profile, Vectors, decision
from raft_exp.evaluation.supporting_facts import SupportingFacts
from raft_exp.prompts import ParsedReply, ReplyFormat, lenient, parse
from raft_exp.prompts.refusals import abstained


@dataclass(frozen=True)
class ScoredArm:
    """An arm's predictions (contract: `predictions/<arm>.jsonl`) and what each metric saw of them, in test order.

    `observed` holds the metrics that the arm has: those of quotes need an arm that reasons.
    """

    rows: list[dict[str, Any]]
    observed: dict[str, list[Any]]
    answers: list[Answer | None]  # None: not answered

    @property
    def answered(self) -> int:
        """How many questions have an answer."""
        return sum(answer is not None for answer in self.answers)


@dataclass(frozen=True)
class Grading:
    """How an arm's replies are graded."""

    profile: Profile
    shown: bool  # the arm had the passages
    reply_format: ReplyFormat  # the form that it was asked for
    reasons: bool = False  # it was asked to reason before it answers
    refusal: str = ""  # the words of a refusal in this study
    supporting: SupportingFacts | None = None  # for data sets that name the sentences that support an answer
    vectors: Vectors | None = None  # for metrics that ask the encoder

    @property
    def metrics(self) -> dict[str, Metric]:
        """Those that the arm has."""
        known = {name: METRICS[name] for name in self.profile.metrics}
        quoted = self.reasons and self.supporting is not None
        return {name: metric for name, metric in known.items() if quoted or not metric.of_quotes}


def score_arm(name: str, examples: Sequence[Example], answers: Iterable[Answer], how: Grading) -> ScoredArm:
    """Grades an arm's answers. A question without an answer counts as wrong.

    Raises DataError for answers that do not belong to these questions.
    """
    by_id = _by_id(name, examples, answers)
    replies = [by_id.get(example.id) for example in examples]
    rows: list[dict[str, Any]] = []
    everything: list[Graded] = []
    observed: dict[str, list[Any]] = defaultdict(list)
    for example, answer in zip(examples, replies, strict=True):
        graded, row, seen = _score_row(example, answer, how)
        rows.append(row)
        everything.append(graded)
        for metric, value in seen.items():
            observed[metric].append(value)
    for metric, values in _batches(everything, replies, how).items():
        observed[metric] = values
        for row, value in zip(rows, values, strict=True):
            row["metrics"][metric] = value
    return ScoredArm(rows, observed, replies)


def _by_id(name: str, examples: Sequence[Example], answers: Iterable[Answer]) -> dict[str, Answer]:
    asked = {example.id for example in examples}
    by_id: dict[str, Answer] = {}
    for answer in answers:
        if answer.id not in asked:
            raise DataError(f"arm {name}: answer to {answer.id!r}, which is no test question; evaluate the arm again")
        if answer.id in by_id:
            raise DataError(f"arm {name}: two answers to {answer.id!r}; remove one of the lines")
        by_id[answer.id] = answer
    return by_id


def _score_row(example: Example, answer: Answer | None, how: Grading) -> tuple[Graded, dict[str, Any], dict[str, Any]]:
    raw, truncated = (answer.raw, answer.truncated) if answer else ("", False)
    reply = parse(raw, how.reply_format)
    context = example.context if how.shown else []
    said = lenient.extract(raw, LABELS if how.profile.closed else ())
    graded = Graded(example.answers, reply.prediction, raw, how.profile.normalize, said)
    if how.supporting and how.reasons:
        quoted = how.supporting.quoted(reply.quotes, context)
        graded = replace(graded, facts=how.supporting.named(example.id), quoted=quoted)
    seen = {name: _observe(metric, graded, answer) for name, metric in how.metrics.items() if metric.observe}
    quotes = check_quotes(reply.quotes, context)
    declines = abstained(reply.prediction or said, how.refusal)
    row = {
        "id": example.id,
        "question": example.question,
        "answers": example.answers,
        "context": [{"id": passage.id, "gold": passage.gold} for passage in context],
        "raw": raw,
        "prediction": reply.prediction,
        "lenient": said,
        "parsed": reply.parsed,
        "truncated": truncated,
        "abstained": declines,
        "quotes": quotes,
        **({"supporting_facts": sorted(graded.quoted)} if how.supporting and how.reasons else {}),
        "supported": None if declines or not how.reasons else _supported(example, reply, quotes),
        "metrics": {name: value for name, value in seen.items() if METRICS[name].per_row},
    }
    empty = answer is not None and not raw.strip()
    shares = {"parsed": float(reply.parsed), "truncated": float(truncated), "empty": float(empty)}
    return graded, row, {**seen, **shares}


def _observe(metric: Metric, graded: Graded, answer: Answer | None) -> Any:
    assert metric.observe is not None, "those that look at all rows at once are no part of this"
    # An answer that normalises to nothing ("A") would equal the missing reply.
    return 0.0 if metric.per_row and answer is None else metric.observe(graded)


def _batches(rows: Sequence[Graded], answers: Sequence[Answer | None], how: Grading) -> dict[str, list[float]]:
    """The values of the metrics that look at all rows at once; unanswered questions have 0."""
    wanted = {name: metric.batch for name, metric in how.metrics.items() if metric.batch}
    asked = [graded for graded, answer in zip(rows, answers, strict=True) if answer is not None]
    found: dict[str, list[float]] = {}
    for name, batch in wanted.items():
        assert how.vectors is not None, f"{name} needs an encoder"
        values = iter(batch(asked, how.vectors) if asked else [])
        found[name] = [0.0 if answer is None else next(values) for answer in answers]
    return found


def check_quotes(quotes: Sequence[str], context: Sequence[ContextPassage]) -> list[dict[str, Any]]:
    """Whether each quote stands word for word in a passage of the context (white space aside), and in a gold one."""
    if not quotes:
        return []
    passages = [(_one_spaced(passage.text), passage.gold) for passage in context]
    checked = []
    for quote in quotes:
        text = _one_spaced(quote)
        found = [gold for passage, gold in passages if text and text in passage]
        checked.append({"text": quote, "verbatim": bool(found), "gold": any(found)})
    return checked


def _supported(example: Example, reply: ParsedReply, quotes: Sequence[dict[str, Any]]) -> bool | None:
    """Whether the answer stands, word-bounded and normalised, in a verbatim quote of its reply; None for replies in
    another form and for questions whose answers are labels."""
    if not reply.parsed or all(decision(answer) in LABELS for answer in example.answers):
        return None
    answer = answer_pattern([reply.prediction])
    return answer is not None and any(answer.search(normalise(one["text"])) for one in quotes if one["verbatim"])


def _one_spaced(text: str) -> str:
    return " ".join(text.split())
