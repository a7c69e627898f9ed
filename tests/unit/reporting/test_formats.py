"""Names as readers see them."""

import pytest

from raft_exp.reporting.formats import model_name, slice_heading, slice_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("asset:pocket", "pocket (embedded)"),
        ("Qwen/Qwen2.5-3B-Instruct", "Qwen/Qwen2.5-3B-Instruct"),
        ("/home/somebody/models/small/", "small"),
        ("../models/small", "small"),
        ("models/of/mine", "mine"),
        ("gpt-4.1", "gpt-4.1"),
    ],
)
def test_a_model_is_named_without_the_path_of_a_machine(name, shown):
    assert model_name(name) == shown


def test_headings_of_slices_say_what_is_compared():
    assert slice_heading("answer") == "Is the answer also an answer in training?"
    assert (slice_heading("question_length"), slice_name("question_length")) == (
        "By question length",
        "question length",
    )
    assert slice_name("gold") == "gold passage"
