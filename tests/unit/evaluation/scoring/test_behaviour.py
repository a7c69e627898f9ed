"""What arms do beside being right: shares of replies and quotes, on made replies that can be counted by hand."""

from dataclasses import replace
from typing import Any

import pytest

from raft_exp.evaluation.metrics import profile
from raft_exp.evaluation.results import ArmResult
from raft_exp.evaluation.scoring import summaries
from tests.helpers.scores import OTHER, asked, quoting, scored

TRUE, FALSE = "drug helped all patients", "The drug helped nobody."


def found(examples: Any, replies: Any, unknown: frozenset[str] = frozenset(), **how: Any) -> ArmResult:
    arm = scored(examples, replies, **how)
    return summaries({"a": arm}, examples, profile("own"), 0, unknown)["a"]


def shares(seen: ArmResult) -> dict[str, tuple[object, int]]:
    return {name: (pytest.approx(one["value"]), one["n"]) for name, one in seen["behaviour"].items()}


def test_quotes_are_counted_by_quote_and_quoting_by_reply() -> None:
    rows = [asked(number, "Paris") for number in range(5)]
    replies = [quoting(TRUE, OTHER), quoting(TRUE, FALSE, FALSE), quoting(), "##Answer: Paris", None]
    seen = found(rows, replies)
    assert list(seen["behaviour"]) == [
        "quoting",
        "quotes_verbatim",
        "quotes_gold",
        "quotes_distractor",
        "supported",
        "abstained_with_gold",
    ]
    assert shares(seen) == {
        "quoting": (2 / 4, 4),  # of the replies that came
        "quotes_verbatim": (3 / 5, 5),
        "quotes_gold": (2 / 5, 5),
        "quotes_distractor": (1 / 5, 5),
        "supported": (0, 4),
        "abstained_with_gold": (0, 4),
    }


def test_a_quote_in_gold_and_distractors_is_gold() -> None:
    row = asked(0, "Paris")
    both = replace(row, context=[*row.context, replace(row.context[0], id="copy", gold=False)])
    assert shares(found([both], [quoting(TRUE)]))["quotes_distractor"] == (0, 1)


@pytest.mark.parametrize(
    ("quote", "answer", "supported"),
    [
        ("helped all patients in Paris", "Paris", True),
        ("helped all patients in Paris", "PARIS!", True),  # normalised
        ("helped all patients in Paris", "Par", False),  # word-bounded
        ("helped all patients in Paris", "", False),
        ("helped all patients", "Paris", False),
        ("patients of Paris were helped", "Paris", False),  # no verbatim quote
        ("helped all patients in Paris", "Not there.", None),  # declines: there is nothing to support
    ],
)
def test_an_answer_is_supported_by_its_verbatim_quotes(quote: str, answer: str, supported: bool | None) -> None:
    assert scored([asked(0, "Lyon")], [quoting(quote, answer=answer)]).rows[0]["supported"] is supported


def test_support_is_asked_of_parsed_replies_to_open_questions_by_arms_that_reason() -> None:
    reply = quoting("helped all patients in Paris")
    assert scored([asked(0, "Lyon")], [reply], reasons=False).rows[0]["supported"] is None
    assert scored([asked(0, "yes", "no")], [reply]).rows[0]["supported"] is None
    assert scored([asked(0, "Lyon")], ["It is Paris"]).rows[0]["supported"] is None
    assert scored([asked(0, "Lyon")], [None]).rows[0]["supported"] is None


def test_declining_is_right_without_gold_and_wrong_with_it() -> None:
    rows = [asked(0, "Paris"), asked(1, "Paris"), asked(2, "Paris", gold=False), asked(3, "Paris", gold=False)]
    replies = ["##Answer: Not there.", "##Answer: Paris", "I don't know.", "##Answer: no"]
    seen = found(rows, replies)
    assert shares(seen)["abstained_with_gold"] == (1 / 2, 2)
    assert shares(seen)["abstained_without_gold"] == (1 / 2, 2)
    assert [row["abstained"] for row in scored(rows, replies).rows] == [True, False, True, False]


def test_nobody_knows_whether_to_decline_where_some_gold_is_shown_or_none_is_named() -> None:
    rows = [asked(0, "Paris", has_gold=False), asked(1, "Paris", gold=False)]
    replies = ["##Answer: Not there."] * 2
    assert shares(found(rows, replies))["abstained_without_gold"] == (1, 1)
    seen = found(rows, replies, unknown=frozenset({"q1"}))
    assert not {"abstained_with_gold", "abstained_without_gold"} & set(seen["behaviour"])
    shown_nothing = found(rows, replies, shown=False)
    assert not {"abstained_with_gold", "abstained_without_gold"} & set(shown_nothing["behaviour"])


def test_many_quotes_of_one_reply_are_not_many_observations() -> None:
    rows = [asked(number, "Paris") for number in range(20)]
    few = found(rows, [quoting(TRUE)] * 10 + [quoting(FALSE)] * 10)["behaviour"]["quotes_verbatim"]
    many = found(rows, [quoting(*[TRUE] * 5)] * 10 + [quoting(*[FALSE] * 5)] * 10)["behaviour"]["quotes_verbatim"]
    assert (few["n"], many["n"]) == (20, 100)
    assert many["value"] == few["value"] == 0.5
    assert many["high"] - many["low"] == pytest.approx(few["high"] - few["low"], rel=0.05)
    alike = found(rows, [quoting(*[TRUE] * 5)] * 20)["behaviour"]["quotes_verbatim"]
    assert alike["low"] == pytest.approx(0.839, abs=1e-3), "Wilson's of 20 replies, not of 100 quotes"


def test_tokens_of_answered_questions() -> None:
    rows = [asked(number, "Paris") for number in range(3)]
    assert found(rows, ["a b c", None, "a"])["tokens"] == {"prompt": 11.0, "reply": 2.0}
    nothing = found(rows, [None] * 3)
    assert (nothing["tokens"], nothing["behaviour"], nothing["answered"]) == ({}, {}, 0)
