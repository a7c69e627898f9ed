"""A judge is chosen by the name of its setting."""

import pytest

from raft_exp.apps.group_arguments import setting_of, with_group_names


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("evaluation.judge=openai", "judge@evaluation.judge=openai"),
        ("evaluation.judge=openai,vllm", "judge@evaluation.judge=openai,vllm"),
        ("evaluation.judge=null", "judge@evaluation.judge=null"),
        ("evaluation.nli=deberta", "nli@evaluation.nli=deberta"),
        ("evaluation.judge.model=gpt", "evaluation.judge.model=gpt"),
        ("judge@evaluation.judge=mine", "judge@evaluation.judge=mine"),
        ("evaluation.judge={name: openai}", "evaluation.judge={name: openai}"),
        ("evaluation.judgement=openai", "evaluation.judgement=openai"),
        ("evaluation=long", "evaluation=long"),
    ],
)
def test_a_file_of_a_group_is_chosen_by_its_setting(typed, read):
    assert with_group_names([typed]) == [read]


@pytest.mark.parametrize(
    ("group", "setting"), [("judge", "evaluation.judge"), ("nli", "evaluation.nli"), ("trainer", "trainer")]
)
def test_a_message_names_the_setting_that_was_typed(group, setting):
    assert setting_of(group) == setting
