"""The decisions of a judge and of a model for natural language inference about the replies in a report's examples."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypedDict

from raft_exp.evaluation.results import Prediction

TASK = "correct"  # the task of a judge that says whether a reply is right
_RIGHT = 0.5  # from this value on the judge calls a reply right
_WORDS = 400  # largest number of characters of a judge's text
_CLAIM = 300  # ... of a claim
_CLAIMS = 1_500  # ... of all claims of a reply
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

Verdict = bool | None  # a judge calls a reply right, or wrong; None: no judgement


class JudgeWords(TypedDict):
    """A judge's value and text for a reply, in one task."""

    task: str
    value: float | None  # None: no judgement
    words: str  # without a judgement, the reason why it is missing


class ExampleClaim(TypedDict):
    """A claim of a reply, by the model of `evaluation.nli`."""

    text: str
    supported: bool
    cited: list[int]  # numbers of the passages that it cites, from 1
    supporting: list[int]  # numbers of those that support it


class ExampleClaims(TypedDict):
    """The claims of a reply."""

    number: int  # of all claims
    supported: int  # number of supported claims
    shown: list[ExampleClaim]  # the first claims, of at most 1,500 characters together


class JudgeAgreement(TypedDict):
    """Numbers of an arm's replies that are right by both judge and metric, by one alone, and by neither.

    `missing`: replies without a judgement.
    """

    arm: str
    both: int
    judge: int
    metric: int
    neither: int
    missing: int


def verdict(row: Prediction) -> Verdict:
    """Returns whether the judge calls a reply right; None without a judgement in the task `correct`."""
    said = row.get("judge", {}).get(TASK)
    return None if said is None or said["value"] is None else said["value"] >= _RIGHT


def words_of(row: Prediction) -> list[JudgeWords]:
    """Returns the judge's values and shortened texts for a reply, one entry for each task; [] without a judge."""
    return [
        {
            "task": task.replace("_", " "),
            "value": None if said["value"] is None else round(said["value"], 3),
            "words": _cut(
                said["words"] if said["value"] is not None else said.get("missing", "").replace("_", " "), _WORDS
            ),
        }
        for task, said in row.get("judge", {}).items()
    ]


def claims_of(row: Prediction, numbers: Mapping[str, int]) -> ExampleClaims:
    """Returns the claims of a reply, shortened. `numbers`: id of a passage -> its number in the example."""
    claims = row.get("claims", [])
    shown: list[ExampleClaim] = [
        {
            "text": _cut(claim["claim"], _CLAIM),
            "supported": claim["supported"],
            "cited": [numbers[name] for name in claim["passages"] if name in numbers],
            "supporting": [numbers[name] for name in claim["supporting"] if name in numbers],
        }
        for claim in claims
    ]
    lengths = accumulate(len(claim["text"]) for claim in shown)
    fitting = sum(length <= _CLAIMS for length in lengths)
    return {"number": len(claims), "supported": sum(c["supported"] for c in claims), "shown": shown[:fitting]}


def agreement(
    arms: Sequence[str], right: Mapping[str, Sequence[bool]], verdicts: Mapping[str, Sequence[Verdict]]
) -> list[JudgeAgreement]:
    """Returns how often judge and metric agree, a row for each arm with judgements.

    `right`: question -> whether each arm's reply is right by the metric. `verdicts`: the same by the judge.
    """
    rows: list[JudgeAgreement] = []
    for place, arm in enumerate(arms):
        pairs = [(judged[place], right[name][place]) for name, judged in verdicts.items()]
        if any(judged is not None for judged, _ in pairs):
            rows.append(
                {
                    "arm": arm,
                    "both": pairs.count((True, True)),
                    "judge": pairs.count((True, False)),
                    "metric": pairs.count((False, True)),
                    "neither": pairs.count((False, False)),
                    "missing": sum(judged is None for judged, _ in pairs),
                }
            )
    return rows


def disputed(right: Sequence[bool], judged: Sequence[Verdict]) -> tuple[bool, ...]:
    """Returns for each arm whether judge and metric disagree on its reply to a question; False without a judgement."""
    return tuple(said is not None and said != metric for said, metric in zip(judged, right, strict=True))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + _ELLIPSIS
