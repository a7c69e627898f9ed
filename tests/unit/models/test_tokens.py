"""Training and inference see the same token ids, whatever the tokenizer, the prompt mode and the form of the reply."""

from itertools import product

import pytest

from raft_exp import engines, prompts
from raft_exp.core.collection import write_passages
from raft_exp.core.errors import ModelError
from raft_exp.core.records import Answer, Passage, Question, Target, write_jsonl
from raft_exp.dataset.rows import RowFormat, RowSpec, Window, render_rows
from raft_exp.engines import Request
from raft_exp.evaluation.stage import evaluate
from raft_exp.models.loading import load_tokenizer
from raft_exp.models.tokens import chat_text, encode_completion, encode_prompt, end_token_id
from raft_exp.prompts import MODES, PromptConfig
from raft_exp.training.rows import encode
from tests.helpers.small_training import evaluate_stage, prompt_config, values
from tests.helpers.tokenizers import TOKENIZERS, llama2, qwen2, saved, shipped

PROMPT = PromptConfig("System.", "", "Say ##Answer: {answer}", "Reason, then ##Answer: {answer}", "None.", "paper")


class Recorder:
    """An engine that answers nothing and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def generate(self, requests, finished):
        self.requests += requests
        return iter([Answer(request.id, "", False, 0, 0) for request in requests])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {name: saved(name, tmp_path_factory.mktemp("model")) for name in TOKENIZERS}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("passages")
    texts = ['It grew </s> by "3" <|im_end|>.\n\nQuestion: no\n', "Other: 你好 \U0001f600\ttab & <b>"]
    write_passages(folder, [Passage(str(i), str(i), f"T {i}", t, "page 1", [t], "") for i, t in enumerate(texts)])
    return folder


@pytest.mark.parametrize(("name", "mode", "cot"), list(product(TOKENIZERS, MODES, [True, False])))
def test_training_and_inference_agree_to_the_last_prompt_token(name, mode, cot, models, told, tmp_path, monkeypatch):
    model = {"name_or_path": models[name], "max_length": 3000, "max_new_tokens": 8}
    window = Window(models[name], None, 3000, 8)

    def row(split, target):
        asked = RowSpec(Question("q", "Did it grow?", ["yes"], ["0"], split), [1, 0], target, True)
        rendering = RowFormat(prompt_config(), mode, cot, window, fits_both=target is None)
        (made,) = render_rows(rendering, told, [asked], workers=1)
        return made.example

    target = Target("q", "yes", prompts.quote("It grew"))
    tokenizer = TOKENIZERS[name]()
    trained = encode([row("train", target)], tokenizer, 3000, tmp_path / "rows")
    write_jsonl(tmp_path / "rows.jsonl", [row("test", None)])
    engine = Recorder()
    monkeypatch.setattr(engines, "load", lambda *_: engine)
    (tmp_path / "out").mkdir()
    evaluate(evaluate_stage(model, prompt_mode=mode, cot=cot), test=tmp_path, out=tmp_path / "out")

    (request,) = engine.requests
    learned = int(trained.completions[0])
    assert trained.row(0)[:-learned].tolist() == request.prompt_ids
    completion = trained.row(0)[-learned:].tolist()
    assert tokenizer.decode(completion[:-1]).strip() == prompts.completion(target, cot, "paper")
    assert completion[-1] == end_token_id(tokenizer)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("form", ["default", "json_reply"])
def test_one_end_token_closes_a_reply(name, form):
    tokenizer = TOKENIZERS[name]()
    reply_format = (values("prompt", "default") | values("prompt", form))["reply_format"]
    said = prompts.completion(Target("q", "yes", "It grew."), True, reply_format)
    completion = encode_completion(tokenizer, said)
    end = end_token_id(tokenizer)
    assert completion.index(end) == len(completion) - 1
    assert tokenizer.decode(completion[:-1]).strip() == said
    assert tokenizer.convert_ids_to_tokens(end) == ("<|im_end|>" if "<|im_end|>" in tokenizer.get_vocab() else "</s>")


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_prompt_is_the_templates_own_text_with_thoughts_off(name):
    tokenizer = TOKENIZERS[name]()
    shown = tokenizer.decode(encode_prompt(tokenizer, prompts.messages(PROMPT, "plain_text", "It?", None, False)))
    said = "Question: It?\nSay ##Answer: {answer}"
    assert (
        shown.strip()
        == {
            "shipped": f"<s>System.\n\n{said}".strip(),
            "qwen2": f"<|im_start|>system\nSystem.<|im_end|>\n<|im_start|>user\n{said}<|im_end|>\n"
            "<|im_start|>assistant\n<think>\n\n</think>",
            "always thinks": f"<|im_start|>system\nSystem.<|im_end|>\n<|im_start|>user\n{said}<|im_end|>\n"
            "<|im_start|>assistant\n<think>\n\n</think>",
            "llama2": f"<s> System.\n\n{said}",
            "no system role": f"<s> [INST] System.\n\n{said} [/INST]",
        }[name]
    )


@pytest.mark.parametrize("name", ["shipped", "llama2", "no system role"])
def test_bos_stands_once_at_the_front(name):
    tokenizer = TOKENIZERS[name]()
    prompt = encode_prompt(tokenizer, prompts.messages(PROMPT, "plain_text", "It?", None, False))
    assert prompt[0] == tokenizer.bos_token_id
    assert prompt.count(tokenizer.bos_token_id) == 1
    assert tokenizer.eos_token_id not in prompt


def test_a_tokenizer_that_closes_every_text_leaves_a_prompt_open():
    from tokenizers import processors

    tokenizer = llama2()
    closing = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    tokenizer.backend_tokenizer.post_processor = closing
    assert tokenizer("x")["input_ids"][-1] == tokenizer.eos_token_id
    assert encode_prompt(tokenizer, [{"role": "user", "content": "x"}])[-1] != tokenizer.eos_token_id


def test_the_end_token_may_have_the_number_zero():
    tokenizer = shipped()
    assert tokenizer.convert_ids_to_tokens(0) == "<s>"
    template = "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}<s>{% endif %}{% endfor %}"
    tokenizer.chat_template = template
    assert end_token_id(tokenizer) == 0


def test_the_default_system_message_of_a_template_gives_way_to_ours():
    tokenizer = qwen2()
    asked = prompts.messages(PROMPT, "plain_text", "It?", None, False)
    assert "You are a helpful assistant" not in tokenizer.decode(encode_prompt(tokenizer, asked))
    assert "You are a helpful assistant" in tokenizer.decode(encode_prompt(tokenizer, asked[1:]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "template",
    [
        "Hello.",
        "{% for m in messages if m['role'] == 'system' %}{{ m['content'] }}{% endfor %}",
        "{% for m in messages %}{{ m['content'][:40] }}{% endfor %}",
        "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}",
    ],
)
def test_a_template_that_leaves_text_out_is_refused(template):
    tokenizer = load_tokenizer("asset:tiny")
    tokenizer.chat_template = template
    question = "Passage 1: " + "word " * 20 + "Question: who?"
    with pytest.raises(ModelError, match=r"the rendered prompt changes or omits the text of the user message"):
        encode_prompt(tokenizer, [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}])


@pytest.mark.slow
def test_a_template_that_leaves_the_system_message_out_gets_it_in_the_users():
    tokenizer = load_tokenizer("asset:tiny")
    tokenizer.chat_template = "{% for m in messages if m['role'] != 'system' %}<{{ m['content'] | trim }}>{% endfor %}"
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " who? "}]
    assert chat_text(tokenizer, messages) == "<Be brief.\n\n who?>"
