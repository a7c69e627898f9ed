"""From replies to figures: each reply parsed and graded, each arm summed up, the arms compared on the same items."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

from raft_exp import statistics
from raft_exp.errors import DataError
from raft_exp.metrics import METRICS, Graded, Metric, Profile, decision
from raft_exp.prompts import ReplyFormat, parse
from raft_exp.records import Answer, ContextPassage, Example
from raft_exp.supporting import Supporting

# How well-formed the replies are: reported for every arm, never compared or called a quality.
REPLY_SHARES = ("parsed", "truncated", "empty")
_SHARE = Metric(lambda row: 0.0, share=True)  # observed in _score_row: it is no matter of the answers


@dataclass(frozen=True)
class ScoredArm:
    """An arm's predictions (contract: `predictions/<arm>.jsonl`) and what each metric saw of them, in test order.

    `observed` holds the metrics that the arm has: those of quotes need an arm that reasons.
    """

    rows: list[dict[str, Any]]
    observed: dict[str, list[Any]]
    answered: int


def score_arm(
    name: str,
    examples: Sequence[Example],
    answers: Iterable[Answer],
    profile: Profile,
    *,
    shown: bool,
    reply_format: ReplyFormat,
    supporting: Supporting | None = None,
) -> ScoredArm:
    """Grades an arm's answers; `shown`: the arm had the passages. A question without an answer counts as wrong.

    With `supporting` the quotes of the replies are graded too: it is for arms that reason.

    Raises DataError for answers that do not belong to these questions.
    """
    by_id = _by_id(name, examples, answers)
    rows: list[dict[str, Any]] = []
    observed: dict[str, list[Any]] = defaultdict(list)
    for example in examples:
        row, seen = _score_row(example, by_id.get(example.id), profile, shown, reply_format, supporting)
        rows.append(row)
        for metric, value in seen.items():
            observed[metric].append(value)
    return ScoredArm(rows, observed, len(by_id))


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


def _score_row(
    example: Example,
    answer: Answer | None,
    profile: Profile,
    shown: bool,
    reply_format: ReplyFormat,
    supporting: Supporting | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    raw, truncated = (answer.raw, answer.truncated) if answer else ("", False)
    reply = parse(raw, reply_format)
    context = example.context if shown else []
    graded = Graded(example.answers, reply.prediction, raw, profile.normalize)
    names = [name for name in profile.metrics if supporting or not METRICS[name].of_quotes]
    if supporting:
        quoted = supporting.quoted(reply.quotes, context)
        graded = replace(graded, facts=supporting.named(example.id), quoted=quoted)
    seen = {name: _observe(METRICS[name], graded, answer is not None) for name in names}
    row = {
        "id": example.id,
        "question": example.question,
        "answers": example.answers,
        "context": [{"id": passage.id, "gold": passage.gold} for passage in context],
        "raw": raw,
        "prediction": reply.prediction,
        "parsed": reply.parsed,
        "truncated": truncated,
        "quotes": check_quotes(reply.quotes, context),
        **({"supporting_facts": sorted(graded.quoted)} if supporting else {}),
        "metrics": {name: value for name, value in seen.items() if METRICS[name].per_row},
    }
    empty = answer is not None and not raw.strip()
    return row, {**seen, "parsed": float(reply.parsed), "truncated": float(truncated), "empty": float(empty)}


def _observe(metric: Metric, graded: Graded, answered: bool) -> Any:
    # An answer that normalises to nothing ("A") would equal the missing reply.
    return 0.0 if metric.per_row and not answered else metric.observe(graded)


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


def _one_spaced(text: str) -> str:
    return " ".join(text.split())


def summary(arm: ScoredArm, names: Iterable[str], seed: int, items: Sequence[int] | None = None) -> dict[str, Any]:
    """{n, metrics: {name: {value, low, high}}} of an arm over all test items or some of them."""
    metrics = {}
    for name in (name for name in names if name in arm.observed):
        seen = arm.observed[name]
        chosen = seen if items is None else [seen[index] for index in items]
        found = statistics.estimate(METRICS.get(name, _SHARE), chosen, statistics.generator(seed, name))
        metrics[name] = asdict(found)
    return {"n": len(arm.rows) if items is None else len(items), "metrics": metrics}


def summaries(arms: Mapping[str, ScoredArm], profile: Profile, seed: int) -> dict[str, Any]:
    """Every arm over all items, with the shares of well-formed replies."""
    names = (*profile.metrics, *REPLY_SHARES)
    return {name: {**summary(arm, names, seed), "answered": arm.answered} for name, arm in arms.items()}


def slices(examples: Sequence[Example], arms: Mapping[str, ScoredArm], profile: Profile, seed: int) -> dict[str, Any]:
    """{slice: {value: {arm: summary}}} for the groups that the corpus names."""
    items: dict[tuple[str, str], list[int]] = {}
    for index, example in enumerate(examples):
        for group in example.slices.items():
            items.setdefault(group, []).append(index)
    return {
        name: {
            value: {arm: summary(scored, profile.metrics, seed, items[name, value]) for arm, scored in arms.items()}
            for _, value in groups
        }
        for name, groups in groupby(sorted(items), key=lambda group: group[0])
    }


def reference_arm(arms: Mapping[str, Mapping[str, Any]]) -> str:
    """The arm that the others are compared with: `raft`, else one trained by that recipe, else the last."""
    trained = [name for name, arm in arms.items() if arm.get("recipe") == "raft"]
    return "raft" if "raft" in arms else (trained or list(arms))[-1]


def comparisons(reference: str, arms: Mapping[str, ScoredArm], profile: Profile, seed: int) -> list[dict[str, Any]]:
    """The reference arm minus each other arm, for each metric; Holm's correction goes over the arms of one metric."""
    found: list[dict[str, Any]] = []
    for metric in (name for name in profile.metrics if name in arms[reference].observed):
        others = [name for name, arm in arms.items() if name != reference and metric in arm.observed]
        seen = arms[reference].observed[metric]
        pairs = [
            statistics.compare(
                METRICS[metric],
                seen,
                arms[other].observed[metric],
                statistics.generator(seed, metric, reference, other),
            )
            for other in others
        ]
        corrected = statistics.holm([pair.p_value for pair in pairs])
        for other, pair, p_value_holm in zip(others, pairs, corrected, strict=True):
            found.append({"a": reference, "b": other, "metric": metric, **asdict(pair), "p_value_holm": p_value_holm})
    return found


def baselines(examples: Sequence[Example], profile: Profile, seed: int) -> dict[str, Any]:
    """What a reply needs no model for: always the most frequent label of the test set."""
    if not profile.closed:
        return {}
    counted = Counter(example.answers[0] for example in examples)
    label = max(sorted(counted), key=lambda name: counted[name])
    always = Graded([], label, label, profile.normalize)
    observed = {
        name: [METRICS[name].observe(replace(always, answers=example.answers)) for example in examples]
        for name in profile.metrics
        if not METRICS[name].of_quotes
    }
    arm = ScoredArm([{}] * len(examples), observed, len(examples))
    return {"majority": {"label": decision(label), **summary(arm, profile.metrics, seed)}}
