"""Shortening of prompts: distractors before gold, and never beyond the budget."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp import prompts
from raft_exp.core.errors import DataError
from raft_exp.core.records import ContextPassage
from raft_exp.models import loading
from raft_exp.models.tokens import encode_prompt
from raft_exp.prompts import PromptConfig
from raft_exp.prompts.fit import fit

PROMPT = PromptConfig("", "", "Answer.", "Reason.", "None.", "paper")


@pytest.fixture(scope="module")
def tokenizer():
    return loading.load_tokenizer("asset:tiny")


def render(context, mode="plain_text"):
    return prompts.messages(PROMPT, mode, "What is it?", context, cot=False)


SIZES = st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=5)


@pytest.mark.parametrize("mode", prompts.MODES)
@given(sizes=SIZES, budget=st.integers(60, 500))
@settings(max_examples=50, deadline=None)
def test_fits_and_cuts_distractors_first(tokenizer, mode, sizes, budget):
    def shown(context):
        return render(context, mode)

    context = [
        ContextPassage(str(i), str(i), "T", " ".join(f"word{j}" for j in range(size)), gold)
        for i, (size, gold) in enumerate(sizes)
    ]
    try:
        fitted = fit(tokenizer, [shown], context, budget, "question 'q'")
    except DataError:
        empty = [ContextPassage(p.id, p.document_id, p.title, "", p.gold) for p in context]
        assert len(encode_prompt(tokenizer, shown(empty))) > budget
        return
    assert len(encode_prompt(tokenizer, shown(fitted))) <= budget
    assert [(p.id, p.gold) for p in fitted] == [(p.id, p.gold) for p in context]
    assert all(before.text.startswith(after.text) for before, after in zip(context, fitted, strict=True))
    if any(before.text != after.text for before, after in zip(context, fitted, strict=True) if before.gold):
        assert all(not after.text for after in fitted if not after.gold), "gold was cut while a distractor had words"


def test_a_word_is_not_torn_and_the_longest_gives_way(tokenizer):
    short = ContextPassage("a", "a", "T", "one two three", False)
    long = ContextPassage("b", "b", "T", "longword " * 200, False)
    gold = ContextPassage("g", "g", "T", "the gold stays as it is", True)
    fitted = fit(tokenizer, [render], [short, long, gold], 200, "q")
    assert (fitted[0], fitted[2]) == (short, gold)
    assert set(fitted[1].text.split()) == {"longword"}
    assert len(fitted[1].text) < len(long.text)


def test_what_cannot_fit_is_refused_with_the_remedy(tokenizer):
    with pytest.raises(
        DataError, match=r"question 'q': question and instructions alone need \d+ tokens and 3 are left"
    ):
        fit(tokenizer, [render], [], 3, "question 'q'")
