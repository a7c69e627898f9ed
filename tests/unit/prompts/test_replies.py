"""Training targets and the parsing of replies, in both forms."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp import prompts
from raft_exp.core.records import Target
from raft_exp.prompts.clean import break_markers

QUOTED = "##begin_quote## q1 ##end_quote## and ##begin_quote## q2 ##end_quote##"
ANY = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("raw", "prediction", "parsed", "quotes"),
    [
        ("##Reason: r ##Answer: yes", "yes", True, []),
        ("##Answer: a ##Answer: b", "b", True, []),
        ("yes", "", False, []),
        (f"##Reason: {QUOTED} ##Answer: x", "x", True, ["q1", "q2"]),
        ("##Reason: ##begin_quote## open ##Answer: x", "x", True, []),
        ("", "", False, []),
        ("##Answer:", "", True, []),
        ('{"answer": "yes"}', "", False, []),
    ],
)
def test_the_papers_form_is_taken_apart(raw, prediction, parsed, quotes):
    reply = prompts.parse(raw, "paper")
    assert (reply.prediction, reply.parsed, reply.quotes) == (prediction, parsed, quotes)


@pytest.mark.parametrize(
    ("raw", "prediction", "parsed", "quotes"),
    [
        ('{"reason": "r", "answer": "yes"}', "yes", True, []),
        (' {"answer": " yes "}\n', "yes", True, []),
        ('```json\n{"answer": "yes"}\n```', "yes", True, []),
        ('```\n{"answer": "yes"}```', "yes", True, []),
        (json.dumps({"reason": QUOTED, "answer": "x"}), "x", True, ["q1", "q2"]),
        ('{"reason": 3, "answer": "x"}', "x", True, []),
        ('{"answer": ""}', "", True, []),
        ('It is {"answer": "yes"}', "", False, []),
        ('{"answer": "yes"} {"answer": "no"}', "", False, []),
        ('{"answer": "yes"', "", False, []),
        ('{"answer": true}', "", False, []),
        ('{"reason": "r"}', "", False, []),
        ('["yes"]', "", False, []),
        ("##Answer: yes", "", False, []),
        ("", "", False, []),
        ("[" * 100_000, "", False, []),
        ('{"answer": ' + "9" * 5000 + "}", "", False, []),
    ],
)
def test_a_json_reply_is_one_object_with_an_answer(raw, prediction, parsed, quotes):
    reply = prompts.parse(raw, "json")
    assert (reply.prediction, reply.parsed, reply.quotes) == (prediction, parsed, quotes)


def test_completions_are_the_papers_form():
    reasoned = Target("1", "yes", prompts.quote("It ##end_quote## grew."))
    assert prompts.completion(reasoned, cot=True, reply_format="paper") == (
        "##Reason: ##begin_quote## It # #end_quote## grew. ##end_quote## ##Answer: yes"
    )
    assert prompts.completion(reasoned, cot=False, reply_format="paper") == "##Answer: yes"
    assert prompts.completion(Target("1", "yes"), cot=True, reply_format="paper") == "##Answer: yes"


def test_completions_are_json():
    reasoned = Target("1", "yes", prompts.quote('It "grew".'))
    assert prompts.completion(reasoned, cot=True, reply_format="json") == (
        '{"reason": "##begin_quote## It \\"grew\\". ##end_quote##", "answer": "yes"}'
    )
    assert prompts.completion(reasoned, cot=False, reply_format="json") == '{"answer": "yes"}'
    assert prompts.completion(Target("1", "yes"), cot=True, reply_format="json") == '{"answer": "yes"}'


@pytest.mark.parametrize("reply_format", ["paper", "json"])
@given(answer=ANY, sentences=st.lists(ANY, max_size=3))
@settings(max_examples=200, deadline=None)
def test_what_is_learned_is_what_is_read(reply_format, answer, sentences):
    answer = "42" if "##" in answer else answer.strip()
    target = Target("1", answer, " ".join(prompts.quote(sentence) for sentence in sentences))
    reply = prompts.parse(prompts.completion(target, cot=True, reply_format=reply_format), reply_format)
    assert (reply.prediction, reply.parsed, reply.reason) == (answer, True, target.reason)
    assert reply.quotes == [break_markers(sentence.strip())[0].strip() for sentence in sentences]
