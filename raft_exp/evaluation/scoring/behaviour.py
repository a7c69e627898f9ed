"""What arms do beside being right: quote, quote truly, rest answers on quotes, decline to answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from raft_exp.core.records import Example
from raft_exp.evaluation import statistics
from raft_exp.evaluation.scoring.replies import ScoredArm

Parts = list[tuple[int, int]]  # of each reply: how often it happened, and how often it could have


def behaviour(arm: ScoredArm, examples: Sequence[Example], gold_unknown: frozenset[str]) -> dict[str, Any]:
    """{name: {value, low, high, n}} over the replies that came, without what could not happen.

    Quotes come several in a reply, so that the intervals of their shares take the reply as what was sampled.
    `gold_unknown`: ids of questions whose data set names no gold passages, so that nobody knows whether it was shown.
    """
    replied = [
        (row, example)
        for row, example, answer in zip(arm.rows, examples, arm.answers, strict=True)
        if answer is not None
    ]
    quotes = [row["quotes"] for row, _ in replied]
    asked = [
        (row, _gold_shown(row, example)) for row, example in replied if row["context"] and row["id"] not in gold_unknown
    ]
    parts: dict[str, Parts] = {
        "quoting": [(bool(said), 1) for said in quotes],
        "quotes_verbatim": [(sum(one["verbatim"] for one in said), len(said)) for said in quotes],
        "quotes_gold": [(sum(one["gold"] for one in said), len(said)) for said in quotes],
        "quotes_distractor": [(sum(one["verbatim"] and not one["gold"] for one in said), len(said)) for said in quotes],
        "supported": [(row["supported"], 1) for row, _ in replied if row["supported"] is not None],
        "abstained_without_gold": [(row["abstained"], 1) for row, gold in asked if gold == "none"],
        "abstained_with_gold": [(row["abstained"], 1) for row, gold in asked if gold == "all"],
    }
    numbers = {name: sum(could for _, could in part) for name, part in parts.items()}
    return {
        name: {**asdict(statistics.clustered(part)), "n": numbers[name]}
        for name, part in parts.items()
        if numbers[name]
    }


def _gold_shown(row: Mapping[str, Any], example: Example) -> str:
    """All of the gold passages, none, or some: whether a reply should decline then, nobody can say."""
    if example.has_gold:
        return "all"
    return "some" if any(passage["gold"] for passage in row["context"]) else "none"


def tokens(arm: ScoredArm) -> dict[str, float]:
    """{prompt, reply}: tokens of an answered question on average; {} when none was answered."""
    answers = [answer for answer in arm.answers if answer is not None]
    return (
        {
            "prompt": _mean(answer.prompt_tokens for answer in answers),
            "reply": _mean(answer.new_tokens for answer in answers),
        }
        if answers
        else {}
    )


def _mean(numbers: Iterable[int]) -> float:
    values = list(numbers)
    return round(sum(values) / len(values), 6)
