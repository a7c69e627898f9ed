"""Worked examples in a prompt: their place in the chat, and how many fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.models.tokens import encode_prompt
from raft_exp.prompts.few_shot import FewShot, WorkedExample, takes_turns, with_examples
from tests.helpers import tokenizers

# Takes one user message alone, as some fine-tuned models' templates do; and one that forgets earlier turns.
ONE_TURN = (
    "{% if messages | length > 1 %}{{ raise_exception('one message, please') }}{% endif %}"
    "{{ '<|im_start|>' + messages[0]['content'] + '<|im_end|>' }}"
)
FORGETFUL = "{{ '<|im_start|>user\\n' + messages[-1]['content'] + '<|im_end|>\\n<|im_start|>assistant\\n' }}"
EXAMPLES = [WorkedExample(f"Question: {n}?\nSay it.", f"##Answer: {n}") for n in range(3)]
PROMPT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Question: 9?\nSay it."}]


def test_examples_are_earlier_turns_after_the_system_message():
    roles = [message["role"] for message in with_examples(PROMPT, EXAMPLES[:2], as_turns=True)]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert with_examples(PROMPT, EXAMPLES, True)[-1] == PROMPT[-1]
    assert with_examples(PROMPT, [], True) == PROMPT


def test_without_turns_they_stand_in_the_message_itself():
    system, user = with_examples(PROMPT, EXAMPLES[:1], as_turns=False)
    assert system == PROMPT[0]
    assert user["content"] == "Question: 0?\nSay it.\n##Answer: 0\n\nQuestion: 9?\nSay it."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tokenizer", "turns"),
    [
        (tokenizers.shipped(), True),
        (tokenizers.qwen2(), True),
        (tokenizers.qwen2(tokenizers.ALWAYS_THINKS), True),
        (tokenizers.qwen2(tokenizers.INST), True),
        (tokenizers.qwen2(ONE_TURN), False),
        (tokenizers.qwen2(FORGETFUL), False),
    ],
)
def test_turns_where_the_chat_template_shows_them_else_one_message(tokenizer, turns):
    assert takes_turns(tokenizer) is turns
    messages, count = FewShot(tokenizer, 10_000).fitted(PROMPT[1:], EXAMPLES)
    assert count == len(EXAMPLES)
    text = tokenizer.decode(encode_prompt(tokenizer, messages))
    for example in EXAMPLES:
        assert text.count(example.reply) == 1
    assert text.index(EXAMPLES[0].reply) < text.index(EXAMPLES[2].reply) < text.index("Question: 9?")


@pytest.mark.slow
@given(lengths=st.lists(st.integers(0, 30), max_size=4), budget=st.integers(0, 200))
def test_as_many_of_the_first_as_fit_and_never_another_prompt(lengths, budget):
    tokenizer = tokenizers.shipped()
    examples = [WorkedExample("word " * length, "##Answer: a") for length in lengths]
    few_shot = FewShot(tokenizer, budget)
    messages, count = few_shot.fitted(PROMPT, examples)
    assert messages == with_examples(PROMPT, examples[:count], as_turns=True)
    assert not count or few_shot.size(messages) <= budget
    if count < len(examples):
        assert few_shot.size(with_examples(PROMPT, examples[: count + 1], as_turns=True)) > budget


def test_a_server_gets_all_of_them_as_turns():
    messages, count = FewShot(None, 0).fitted(PROMPT, EXAMPLES)
    assert (len(messages), count) == (8, 3)
