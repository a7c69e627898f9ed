from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from raft_exp import engines
from raft_exp.core.errors import ModelError
from raft_exp.engines import Request
from raft_exp.engines.replies import stop_tokens
from raft_exp.engines.transformers import Transformers, plan, use_base_dtype
from raft_exp.models import loading, tokens
from raft_exp.training import weights
from tests.helpers import small_training as small

NOWHERE = Path("/nonexistent")  # this engine writes nothing


@pytest.fixture(scope="module")
def tokenizer():
    return loading.load_tokenizer("asset:tiny")


@pytest.fixture(scope="module")
def requests(tokenizer) -> list[Request]:
    rows = [small.example(number, "test", passages=1 + 3 * (number % 3)) for number in range(9)]
    return [Request(row.id, tokens.encode_prompt(tokenizer, row.messages), row.messages) for row in rows]


def engine(**changes):
    return engines.load(small.engine_config(**changes), small.model_config(), None, NOWHERE)


def by_id(answers):
    return {answer.id: answer for answer in answers}


def test_padding_does_not_change_the_answers(requests):
    together = by_id(engine().generate(requests))
    assert len(list(plan(requests, small.engine_config().batch_tokens, 16))) == 1
    alone = by_id(engine(batch_tokens=1).generate(requests))
    assert together == alone
    assert len({answer.raw for answer in alone.values()}) > len(requests) // 2


def test_answers_are_the_greedy_continuation(requests, tokenizer):
    model = loading.load(small.model_config())
    request, ids = requests[0], list(requests[0].prompt_ids)
    with torch.no_grad():
        while len(ids) < len(request.prompt_ids) + 16 and ids[-1] != tokenizer.eos_token_id:
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    [answer] = engine().generate([request])
    assert answer.raw == tokenizer.decode(ids[len(request.prompt_ids) :], skip_special_tokens=True)
    assert answer.new_tokens == len(ids) - len(request.prompt_ids)
    assert answer.prompt_tokens == len(request.prompt_ids)
    assert answer.truncated == (ids[-1] != tokenizer.eos_token_id)


@pytest.mark.parametrize("adapted", [False, True])
def test_the_models_own_sampling_settings_take_no_part(requests, tokenizer, adapted):
    model = loading.load(small.model_config())
    settings = model.generation_config
    settings.do_sample, settings.temperature, settings.top_p, settings.repetition_penalty = True, 5.0, 0.9, 3.0
    if adapted:  # a fresh adapter changes nothing
        model = weights.add_adapter(model, small.train_stage().lora, seed=0).eval()
    spiced = Transformers(model, tokenizer, small.engine_config(), small.model_config())
    assert by_id(spiced.generate(requests)) == by_id(engine().generate(requests))


def test_log_probabilities_are_those_of_the_replies_tokens_and_change_no_reply(requests, tokenizer):
    found = by_id(engine().generate(requests, log_probabilities=True))
    bare = {name: replace(answer, log_probability=None) for name, answer in found.items()}
    assert bare == by_id(engine().generate(requests))
    model = loading.load(small.model_config())
    for request in requests[::4]:
        ids, logged = list(request.prompt_ids), []
        with torch.no_grad():
            while len(logged) < 16 and ids[-1] != tokenizer.eos_token_id:
                scores = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
                ids.append(int(scores.argmax()))
                logged.append(float(scores.max()))
        assert found[request.id].log_probability == pytest.approx(sum(logged) / len(logged), abs=1e-4)


def test_a_reply_that_ends_early_has_the_log_probability_of_its_own_tokens(requests):
    """In a batch, the shorter replies are padded: the padding does not count."""
    together = by_id(engine().generate(requests, log_probabilities=True))
    alone = by_id(engine(batch_tokens=1).generate(requests, log_probabilities=True))
    for name, answer in together.items():
        assert answer.log_probability == pytest.approx(alone[name].log_probability, abs=1e-4)


def test_stops_at_every_end_token(requests):
    [whole] = engine().generate(requests[:1])
    loaded = engine()
    reply = loading.load_tokenizer("asset:tiny")(whole.raw, add_special_tokens=False)["input_ids"]
    assert whole.truncated
    loaded._stops.append(reply[3])
    [stopped] = loaded.generate(requests[:1])
    assert not stopped.truncated
    assert stopped.new_tokens == reply.index(reply[3]) + 1
    assert whole.raw.startswith(stopped.raw)


def test_end_tokens_of_model_and_template_are_both_known():
    model, tokenizer = loading.load(small.model_config()), loading.load_tokenizer("asset:tiny")
    model.generation_config.eos_token_id = [7, 9]
    assert stop_tokens(model.generation_config, tokenizer) == [tokenizer.eos_token_id, 7, 9]
    model.generation_config.eos_token_id = None
    assert stop_tokens(model.generation_config, tokenizer) == [tokenizer.eos_token_id]


def test_batches_are_planned_the_longest_first(requests):
    width = max(len(request.prompt_ids) for request in requests) + 16
    batches = list(plan(requests, 3 * width, 16))
    assert sorted(request.id for batch in batches for request in batch) == sorted(request.id for request in requests)
    lengths = [len(request.prompt_ids) for batch in batches for request in batch]
    assert lengths == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) * (len(batch[0].prompt_ids) + 16) <= 3 * width
    assert list(plan(requests[::-1], 3 * width, 16)) == batches


def test_only_batches_with_open_requests_are_computed(requests, monkeypatch):
    loaded = engine(batch_tokens=800)
    batches = list(plan(requests, 800, 16))
    everything = list(loaded.generate(requests))
    assert len(batches) > 2
    computed = []
    answers = loaded._answers
    monkeypatch.setattr(loaded, "_answers", lambda batch: computed.append(batch) or answers(batch))
    known = {answer.id for answer in everything[: len(batches[0]) + 1]}  # the first batch, and one of the second
    rest = list(loaded.generate(requests, known))
    assert computed == batches[1:]
    assert rest == everything[len(batches[0]) + 1 :]


def test_out_of_memory_halves_the_batch_once(requests, monkeypatch, caplog):
    loaded = engine()
    expected = by_id(loaded.generate(requests))
    answers, limit = loaded._answers, 5

    def small_memory(batch):
        if len(batch) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return answers(batch)

    monkeypatch.setattr(loaded, "_answers", small_memory)
    assert by_id(loaded.generate(requests)) == expected
    assert "batches are halved from now on" in caplog.text
    limit = 1
    with pytest.raises(ModelError, match=r"out of memory with 5 prompts in a batch; lower engine.batch_tokens"):
        list(loaded.generate(requests))


def test_no_gpu():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ModelError, match=r"engine.accelerator: got 'gpu'"):
        engine(accelerator="gpu")


def test_a_folder_without_an_adapter(tmp_path):
    with pytest.raises(ModelError, match=r"the folder has no adapter_config.json"):
        engines.load(small.engine_config(), small.model_config(), tmp_path, NOWHERE)


@pytest.mark.parametrize("dora", [False, True])
def test_the_adapter_of_a_16_bit_model_is_converted_and_a_dora_adapter_is_not(dora):
    torch.manual_seed(1)
    base = LlamaForCausalLM(LlamaConfig(vocab_size=64, hidden_size=48, num_attention_heads=6, num_hidden_layers=2))
    settings = LoraConfig(r=4, target_modules="all-linear", use_dora=dora, init_lora_weights=False)
    model = get_peft_model(base.to(torch.bfloat16), settings).eval()
    ids = torch.randint(1, 64, (2, 40), generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        before = model(ids).logits.float()
        use_base_dtype(model)
        after = model(ids).logits.float()
    lora = {parameter.dtype for name, parameter in model.named_parameters() if ".lora_A." in name}
    assert lora == {torch.float32 if dora else torch.bfloat16}
    assert torch.allclose(before, after, atol=0.03 * float(before.abs().max()))
