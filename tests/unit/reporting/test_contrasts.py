"""What differs between two untrained arms whose prompts were chosen."""

from typing import Any

import pytest

from raft_exp.evaluation.results import Choice
from raft_exp.reporting.contrasts import contrasts

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
