"""The labelled replies of tests/data: how many are read as labelled, and that reading takes linear time."""

import time
from collections import Counter

import pytest

from raft_exp.prompts.lenient import extract
from raft_exp.prompts.refusals import abstained
from tests.helpers import reply_list

ROWS = reply_list.read()


def test_the_list_has_replies_of_all_kinds() -> None:
    parts = Counter(row["part"] for row in ROWS)
    assert sum("raw" in row for row in ROWS) >= 400
    assert parts["held_out"] >= 200
    assert sum(row["source"] != "written" for row in ROWS) >= 40, "of the quickstart's arms"


@pytest.mark.parametrize("part", ["develop", "held_out"])
def test_the_goals_are_met(part: str) -> None:
    rows = [row for row in ROWS if row["part"] == part]
    replies, quotes = [row for row in rows if "raw" in row], [row for row in rows if "quote" in row]
    pairs = Counter((reply_list.declines(row), row["refusal"]) for row in replies)
    assert pairs[True, True] / (pairs[True, True] + pairs[True, False]) >= 0.95, "precision of refusals"
    assert pairs[True, True] / (pairs[True, True] + pairs[False, True]) >= 0.95, "recall of refusals"
    assert sum(map(reply_list.answer_is_right, replies)) / len(replies) >= 0.9
    assert sum(reply_list.verbatim(row) == (row["verbatim"], row["gold"]) for row in quotes) / len(quotes) >= 0.97


def test_an_answer_needs_no_look_at_the_gold_or_the_passages() -> None:
    reply = "The drinking age was set to 21 in 1984."
    assert extract(reply, (), "when was the drinking age set to 21") == "1984"
    assert extract(reply, (), "what was the drinking age set to in 1984") == "21"
    assert extract(reply) == "", "without a question it cannot be told"


UNITS = ["a ", "#", "*", "(", "{", '{"answer":', "answer is ", "##Answer:", "##begin_quote##", "<think>", "<answer>"]
UNITS += ["\\boxed{", "\n", "yes or ", "no, ", "1984 ", "not ", "the passages ", "in A ", "A, ", ". ", "“a” ", "\u0301"]


@pytest.mark.parametrize("unit", UNITS)
def test_long_replies_are_read_in_linear_time(unit: str) -> None:
    raw = unit * (50_000 // len(unit))
    start = time.process_time()
    for labels in ((), ("yes", "no", "maybe")):
        extract(raw, labels, "how many were built")
    abstained(raw, "The passages do not hold the answer.", "who built it")
    assert time.process_time() - start < 10
