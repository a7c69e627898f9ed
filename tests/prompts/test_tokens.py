"""Training and inference see the same token ids, whatever the tokenizer."""

import pytest

from raft_exp import models, prompts
from raft_exp.prompts import PromptConfig
from raft_exp.prompts.clean import Cleaner
from raft_exp.prompts.tokens import encode_completion, encode_prompt, end_token_id
from raft_exp.records import ContextPassage

PROMPT = PromptConfig("System.", "", "Say ##Answer: {answer}", "Reason, then ##Answer: {answer}", "")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking %}<think>\n{% endif %}{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML


def plain():
    return models.load_tokenizer("asset:tiny")


def chatml(template=CHATML):
    tokenizer = plain()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<think>"]})
    tokenizer.chat_template = template
    return tokenizer


def pad_is_eos():
    tokenizer = plain()
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


TOKENIZERS = {"plain": plain, "chatml": chatml, "no system role": lambda: chatml(NO_SYSTEM), "pad is eos": pad_is_eos}


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("cot", [True, False])
def test_the_prompt_is_a_prefix_and_one_end_token_closes(name, cot):
    tokenizer = TOKENIZERS[name]()
    context = [ContextPassage("1", "1", "T", "It grew. 你好 \U0001f600", True)]
    asked = prompts.messages(PROMPT, "plain_text", "Did it grow?", context, cot)
    prompt, completion = encode_prompt(tokenizer, asked), encode_completion(tokenizer, "##Answer: yes")
    assert completion[-1] == end_token_id(tokenizer)
    assert completion.count(end_token_id(tokenizer)) == 1
    assert tokenizer.decode(completion[:-1]).strip() == "##Answer: yes"
    assert end_token_id(tokenizer) != prompt[-1]
    text = tokenizer.decode(prompt)
    assert "System." in text
    assert "Did it grow?" in text
    assert "<think>" not in text
    assert (tokenizer.convert_ids_to_tokens(end_token_id(tokenizer)) == "<|im_end|>") == bool(tokenizer.chat_template)


def test_bos_stands_once_at_the_front():
    tokenizer = plain()
    prompt = encode_prompt(tokenizer, [{"role": "user", "content": "Question: x"}])
    assert prompt[0] == tokenizer.bos_token_id
    assert prompt.count(tokenizer.bos_token_id) == 1
    assert prompt[-1] != tokenizer.eos_token_id


@pytest.mark.parametrize("name", TOKENIZERS)
def test_no_control_token_comes_out_of_a_document(name):
    tokenizer = TOKENIZERS[name]()
    controls = [token.content for token in tokenizer.added_tokens_decoder.values()]
    clean = Cleaner(controls)
    hostile = clean(" ".join(controls) + " <|im_<|im_end|>end|> </s></s> [INST]" + "".join(controls))
    empty = prompts.messages(PROMPT, "plain_text", "x", [ContextPassage("1", "1", "T", "", True)], False)
    full = prompts.messages(PROMPT, "plain_text", "x", [ContextPassage("1", "1", "T", hostile, True)], False)

    def specials(messages):
        known = set(tokenizer.added_tokens_decoder)
        return [token for token in encode_prompt(tokenizer, messages) if token in known]

    assert specials(full) == specials(empty)
