"""Shortening of prompts: all passages alike, and never beyond the budget."""

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


def render(texts, mode="plain_text"):
    context = [ContextPassage(str(place), str(place), "T", text, False) for place, text in enumerate(texts)]
    return prompts.messages(PROMPT, mode, "What is it?", context, cot=False)


TEXTS = st.lists(
    st.one_of(
        st.integers(0, 60).map(lambda size: " ".join(f"word{j}" for j in range(size))),
        st.text("ab \n\N{CJK UNIFIED IDEOGRAPH-6C34}", max_size=300),
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("mode", prompts.MODES)
@given(texts=TEXTS, budget=st.integers(60, 500))
@settings(max_examples=50, deadline=None)
def test_fits_and_cuts_all_passages_to_one_length(tokenizer, mode, texts, budget):
    def size(shown):
        return len(encode_prompt(tokenizer, render(shown, mode)))

    try:
        fitted = fit(tokenizer, [lambda shown: render(shown, mode)], texts, budget, "question 'q'")
    except DataError:
        assert size([""] * len(texts)) > budget
        return
    assert size(fitted) <= budget
    assert fitted == texts or size(texts) > budget, "nothing is cut that fits"
    assert all(before.startswith(after) for before, after in zip(texts, fitted, strict=True))
    for before, after in zip(texts, fitted, strict=True):
        for other, shown in zip(texts, fitted, strict=True):
            assert other != before or shown == after, "equal texts are cut alike"
            # a text that was cut shows at least the characters of every text that stands whole beside it, or would
            assert before == after or len(other) > len(after) or shown == other


def test_a_word_is_not_torn_and_the_longest_gives_way(tokenizer):
    short, long, middle = "one two three", "longword " * 200, "the other stays as it is"
    fitted = fit(tokenizer, [render], [short, long, middle], 200, "q")
    assert (fitted[0], fitted[2]) == (short, middle)
    assert set(fitted[1].split()) == {"longword"}
    assert len(fitted[1]) < len(long)


def test_text_without_white_space_is_cut_at_the_cap(tokenizer):
    title, body = "\N{CJK UNIFIED IDEOGRAPH-6C34}", "\N{CJK UNIFIED IDEOGRAPH-6C34}" * 2000
    (fitted,) = fit(tokenizer, [render], [f"{title}\n{body}"], 400, "q")
    assert len(fitted) > 50, "the early line break does not take the text away"


def test_what_cannot_fit_is_refused_with_the_remedy(tokenizer):
    with pytest.raises(
        DataError, match=r"question 'q': the prompt has \d+ tokens without any text of passages, but only 3 fit"
    ):
        fit(tokenizer, [render], [], 3, "question 'q'")
