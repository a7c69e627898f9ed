"""Rewards: each equals what the report counts for the same reply; columns and settings that they cannot read."""

import inspect
import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp import rewards
from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer, ContextPassage, Example
from raft_exp.evaluation.metrics import profile
from raft_exp.evaluation.scoring import Grading, ScoredArm, score_arm
from raft_exp.evaluation.scoring.behaviour import behaviour

GOLD = ContextPassage("mill#0", "mill", "The mill", "The mill of Velmor has three wheels. It was built in 1912.", True)
OTHER = ContextPassage("ford#0", "ford", "The ford", "The ford of Calton is dry. Nobody crosses it in May.", False)
CONTEXTS = {"all": [OTHER, GOLD], "some": [GOLD, OTHER], "none": [OTHER], "closed": []}
QUESTION = "How many wheels does the mill of Velmor have?"
REPLIES = (
    "##Reason: ##begin_quote## The mill of Velmor has three wheels. ##end_quote## ##Answer: three",
    "##Reason: ##begin_quote## The ford of Calton is dry. ##end_quote## ##Answer: three",
    "##Reason: ##begin_quote## The mill of Velmor has three wheels. ##end_quote## "
    "##begin_quote## The ford of Calton is dry. ##end_quote## ##Answer: four",
    "##Answer: The passages do not say.",
    "three",
    "I cannot answer this from the passages.",
    "##Answer: Three!",
    "",
)
SETTINGS = {
    "corpus": "documents",
    "metric": "exact_match",
    "reply_format": "paper",
    "refusal": "The passages do not say.",
    "cot": True,
    "min_quote_words": 3,
}


def example(number: int, shown: str) -> Example:
    context = CONTEXTS[shown]
    return Example(f"q{number}", QUESTION, ["three", "3"], context, shown == "all", "", False, [], "test")


def columns(examples: list[Example], **changes: object) -> dict[str, list]:
    """The columns of exported rows, as `datasets` gives them to a reward function."""
    return {
        "question": [row.question for row in examples],
        "answers": [row.answers for row in examples],
        "context": [[asdict(passage) for passage in row.context] for row in examples],
        "has_gold": [row.has_gold for row in examples],
        "names_gold": [True for _ in examples],
        "grading": [{**SETTINGS, **changes} for _ in examples],
    }


def scored(examples: list[Example], replies: list[str]) -> ScoredArm:
    grading = Grading(profile("documents"), True, "paper", True, str(SETTINGS["refusal"]))
    answers = [Answer(row.id, raw, False, 1, 1) for row, raw in zip(examples, replies, strict=True)]
    return score_arm("arm", examples, answers, grading)


CASES = st.lists(st.tuples(st.sampled_from(REPLIES), st.sampled_from(list(CONTEXTS))), min_size=1, max_size=6)


@pytest.mark.slow
@given(CASES, st.sampled_from(["exact_match", "f1", "answer_in_reply", "rouge_l"]))
def test_a_reward_is_what_the_report_counts(cases, metric):
    replies = [raw for raw, _ in cases]
    examples = [example(number, shown) for number, (_, shown) in enumerate(cases)]
    arm, given_columns = scored(examples, replies), columns(examples, metric=metric)
    chats = [[{"role": "assistant", "content": raw}] for raw in replies]
    for completions in (replies, chats):
        assert rewards.answer_right([""] * len(cases), completions, **given_columns) == arm.observed[metric]
        assert rewards.form_kept([""] * len(cases), completions, **given_columns) == arm.observed["parsed"]
    shares = behaviour(arm, examples, frozenset())
    refusals = rewards.refusal_right([""] * len(cases), replies, **given_columns)
    for shown, name in (("none", "abstained_without_gold"), ("all", "abstained_with_gold")):
        values = [value for value, (_, each) in zip(refusals, cases, strict=True) if each == shown]
        assert bool(values) == (name in shares)
        if values:
            share = shares[name]["value"] if shown == "none" else 1 - shares[name]["value"]
            assert sum(value or 0.0 for value in values) / len(values) == pytest.approx(share)
    assert all(value is None for value, (_, each) in zip(refusals, cases, strict=True) if each in ("some", "closed"))
    quoted = rewards.quotes_gold([""] * len(cases), replies, **given_columns)
    for value, row, (_, shown) in zip(quoted, arm.rows, cases, strict=True):
        share = sum(quote["gold"] for quote in row["quotes"]) / max(1, len(row["quotes"]))
        assert value == (None if shown == "closed" else share)


def test_rewards_tell_good_replies_from_bad_ones():
    examples = [example(number, "all") for number, _ in enumerate(REPLIES)]
    given_columns = columns(examples)
    assert rewards.answer_right([], REPLIES, **given_columns) == [1, 1, 0, 0, 0, 0, 1, 0]
    assert rewards.quotes_gold([], REPLIES, **given_columns) == [1, 0, 0.5, 0, 0, 0, 0, 0]
    assert rewards.refusal_right([], REPLIES, **given_columns) == [1, 1, 1, 0, 1, 0, 1, 1]
    assert rewards.form_kept([], REPLIES, **given_columns) == [1, 1, 1, 1, 0, 0, 1, 0]


def test_settings_of_the_study_decide():
    one = [example(0, "all")]
    short = "##Reason: ##begin_quote## three wheels. It ##end_quote## ##Answer: three"
    assert rewards.quotes_gold([], [short], **columns(one)) == [1.0]
    assert rewards.quotes_gold([], [short], **columns(one, min_quote_words=4)) == [0.0]
    assert rewards.quotes_gold([], [short], **columns(one, cot=False)) == [None]
    as_json = json.dumps({"reason": "x", "answer": "three"})
    assert rewards.form_kept([], [as_json], **columns(one)) == [0.0]
    assert rewards.form_kept([], [as_json], **columns(one, reply_format="json")) == [1.0]
    unknown = {**columns([example(0, "none")]), "names_gold": [False]}
    assert rewards.refusal_right([], ["three"], **unknown) == [None]


def test_each_function_has_the_signature_of_trl():
    for name in rewards.__all__:
        parameters = inspect.signature(getattr(rewards, name)).parameters
        assert list(parameters) == ["prompts", "completions", "columns"]
        assert parameters["columns"].kind is inspect.Parameter.VAR_KEYWORD
        assert getattr(rewards, name).__name__ == name, "TRL logs a reward under this name"
    more: dict[str, Any] = {"trainer_state": None, "completion_ids": [[1]], "log_metric": print}
    more |= columns([example(0, "all")])
    assert rewards.answer_right([], ["##Answer: three"], **more) == [1.0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"grading": None}, r"rewards: the data set has no column 'grading'; train on a file that was exported"),
        ({"answers": None}, r"rewards: the data set has no column 'answers'"),
        ({"grading": [{"corpus": "documents"}]}, r"rewards: grading\.\w+: .*; export the data again"),
        (
            {"grading": [{**SETTINGS, "metric": "meteor"}]},
            r"rewards: grading\.metric: got 'meteor', which .*; export the data again",
        ),
        (
            {"grading": [{**SETTINGS, "metric": "bleu"}]},
            r"rewards: grading\.metric: got 'bleu', which has no value for a single reply; set evaluation\.primary",
        ),
        ({"grading": [{**SETTINGS, "cot": "yes"}]}, r"rewards: grading\.cot: .*boolean.*; export the data again"),
    ],
)
def test_columns_that_cannot_be_read_are_named(change, told):
    given_columns = {**columns([example(0, "all")]), **change}
    given_columns = {name: values for name, values in given_columns.items() if values is not None}
    with pytest.raises(DataError, match=told) as error:
        rewards.answer_right([""], ["three"], **given_columns)
    assert "\n" not in str(error.value)
