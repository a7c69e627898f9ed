"""The behaviour of replies: how often they quote, from which passages, and how often they abstain."""

from collections.abc import Iterable, Sequence
from typing import Literal

from raft_exp.core.records import Example
from raft_exp.evaluation import statistics
from raft_exp.evaluation.results import CountedFigure, MeanTokens, PredictedApi, Prediction, Quote
from raft_exp.evaluation.scoring.replies import ScoredArm

Parts = list[tuple[int, int]]  # (hits, cases) of each reply


def behaviour(arm: ScoredArm, examples: Sequence[Example], gold_unknown: frozenset[str]) -> dict[str, CountedFigure]:
    """Returns {behaviour: its share of the replies, or of their quotes}. Behaviours without cases are left out.

    Only answered questions count. A reply can have several quotes. Intervals of shares of quotes therefore treat the
    reply as the sampling unit.
    `gold_unknown`: ids of questions for which the data set names no gold passages. The shares of abstentions leave
    these questions out.
    """
    replied = [
        (row, example)
        for row, example, answer in zip(arm.rows, examples, arm.answers, strict=True)
        if answer is not None
    ]
    quotes = [row["quotes"] for row, _ in replied]
    shown = [
        (row, gold_shown(row, example)) for row, example in replied if row["context"] and row["id"] not in gold_unknown
    ]
    parts: dict[str, Parts] = {
        "quoting": [(bool(of_reply), 1) for of_reply in quotes],
        "quotes_verbatim": [(sum(quote["verbatim"] for quote in of_reply), len(of_reply)) for of_reply in quotes],
        "quotes_gold": [(sum(quote["gold"] for quote in of_reply), len(of_reply)) for of_reply in quotes],
        "quotes_distractor": [(sum(map(_from_distractor, of_reply)), len(of_reply)) for of_reply in quotes],
        "supported": [(supported, 1) for row, _ in replied if (supported := row.get("supported")) is not None],
        "abstained_without_gold": [(row["abstained"], 1) for row, gold in shown if gold == "none"],
        "abstained_with_gold": [(row["abstained"], 1) for row, gold in shown if gold == "all"],
        **_api_calls(row["api"] for row, _ in replied if "api" in row),
    }
    numbers = {name: sum(cases for _, cases in part) for name, part in parts.items()}
    return {
        name: {**statistics.clustered(part).as_figure(), "n": numbers[name]}
        for name, part in parts.items()
        if numbers[name]
    }


def _api_calls(calls: Iterable[PredictedApi]) -> dict[str, Parts]:
    """Returns (hits, cases) of each class of calls that are not right (`evaluation.api_strict`).

    `api_hallucination` is for hallucinations by the rule of APIBench's authors (`evaluation.api_domain`).
    """
    graded = list(calls)
    classes = ("same_domain", "other_api", "invented", "unparsed")
    shares: dict[str, Parts] = {f"api_{name}": [(call["call"] == name, 1) for call in graded] for name in classes}
    return shares | {"api_hallucination": [(call["domain"] == "hallucination", 1) for call in graded]}


def _from_distractor(quote: Quote) -> bool:
    return quote["verbatim"] and not quote["gold"]


def gold_shown(row: Prediction, example: Example) -> Literal["all", "some", "none"]:
    """Returns whether the context shows all, some or none of the gold passages.

    In the case "some" it is not defined whether the arm should abstain.
    """
    if example.has_gold:
        return "all"
    return "some" if any(passage["gold"] for passage in row["context"]) else "none"


def tokens(arm: ScoredArm) -> MeanTokens:
    """Returns the mean number of tokens per answered question; {} if no question was answered."""
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
