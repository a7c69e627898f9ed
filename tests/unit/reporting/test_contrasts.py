"""What the comparison of two arms isolates or mixes."""

from typing import Any

import pytest

from raft_exp.evaluation.results import Choice
from raft_exp.reporting.contrasts import contrasts, in_words, other_pairs

ARM: dict[str, Any] = {"recipe": "none", "context": "passages", "cot": False}


def choice(name: str) -> Choice:
    return {"setting": "prompt", "metric": "f1", "chosen": name, "value": {}, "edge": None, "candidates": []}


@pytest.mark.parametrize(
    ("chosen", "difference"),
    [
        ("as_written", []),
        ("terse", ["the wording of the prompt"]),
        ("few_shot", ["worked examples in the prompt"]),
    ],
)
def test_a_chosen_prompt_is_a_difference_under_its_own_name(chosen, difference):
    arms = {"rag": ARM, "other": ARM}
    assert contrasts("other", arms, {"rag@prompt": choice(chosen)}) == {"rag": difference}
    both = {"rag@prompt": choice(chosen), "other@prompt": choice(chosen)}
    assert contrasts("other", arms, both) == {"rag": []}


RAFT: dict[str, Any] = {"recipe": "raft", "context": "passages", "cot": True}
SFT: dict[str, Any] = {"recipe": "closed_book", "context": "none", "cot": False}
SFT_COT: dict[str, Any] = {**SFT, "cot": True, "dataset": {"cot": True}}


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        (SFT, SFT_COT, ["the reasoning (in targets and prompt)"]),
        (RAFT, {**RAFT, "cot": False, "dataset": {"cot": False}}, ["the reasoning (in targets and prompt)"]),
        (RAFT, {**RAFT, "dataset": {"context": "retrieved"}}, ["the training rows (context)"]),
        (
            RAFT,
            {**RAFT, "cot": False, "dataset": {"p": 1.0, "cot": False}},
            ["the reasoning (in targets and prompt)", "the training rows (p)"],
        ),
        (
            RAFT,
            {**SFT_COT, "context": "passages"},
            ["the training rows (with passages or without, with equal targets)"],
        ),
        (
            RAFT,
            {**SFT, "context": "passages"},
            [
                "the training rows (passages and quotes, or question and answer alone)",
                "a prompt that asks to quote",
            ],
        ),
        (ARM, {**ARM, "context": "gold"}, ["the passages in the prompt (gold alone, or those of the test)"]),
        ({**ARM, "context": "none"}, {**ARM, "context": "gold"}, ["gold passages in the prompt"]),
        (RAFT, {**RAFT, "context": "gold"}, ["the passages in the prompt (gold alone, or those of the test)"]),
        (SFT, {**SFT, "context": "passages"}, ["passages in the prompt"]),
    ],
)
def test_what_differs_between_two_arms(one, other, difference):
    for first, second in ((one, other), (other, one)):
        assert contrasts("first", {"first": first, "second": second}) == {"second": difference}
        assert other_pairs("third", {"third": ARM, "first": first, "second": second}) == [
            {"a": "second", "b": "first", "differ": difference}
        ]


def test_a_pair_isolates_one_difference_or_mixes_several():
    assert in_words(["training"]) == "isolates training"
    assert in_words(["training", "passages in the prompt", "x"]) == "mixes training, passages in the prompt and x"
    assert in_words([]) == "compares equal settings"


def test_every_pair_of_arms_is_named_once():
    arms = dict.fromkeys(("a", "b", "c", "d"), ARM)
    pairs = [(pair["a"], pair["b"]) for pair in other_pairs("b", arms)]
    assert pairs == [("c", "a"), ("d", "a"), ("d", "c")]
    assert set(contrasts("b", arms)) == {"a", "c", "d"}
