"""QLoRA: an adapter on 4-bit weights is trained, evaluated and merged as one on ordinary weights."""

import csv
import json
from dataclasses import replace

import pytest
import torch

from raft_exp.apps.export import main as export
from raft_exp.core.errors import ModelError
from raft_exp.evaluation.stage import evaluate
from raft_exp.models import loading, quantization
from raft_exp.models.merge import merge
from raft_exp.models.trained_weights import TrainedWeights
from raft_exp.pipeline.build import build
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.runner import Runner
from raft_exp.pipeline.store import Store
from raft_exp.training import callback, checkpoint, data, packed, weights
from raft_exp.training.loss import token_losses
from raft_exp.training.rows import read
from raft_exp.training.stage import train
from tests.helpers import small_study
from tests.helpers import small_training as small
from tests.helpers.composing import compose
from tests.unit.training.test_stage import Killed, stopping_at

bitsandbytes = pytest.importorskip("bitsandbytes", reason="needs the extra [qlora]")

NF4 = {"quantize": "nf4"}
BASE = small.model_config(**NF4)
FILES = ("adapter/adapter_model.safetensors", "adapter/adapter_config.json", "metrics.csv", "counts.json")
RUN = {"max_steps": 11, "validate_every": 5, "checkpoint_every": 3}
IDS = torch.arange(5, 45)[None]


def quantized_layers(model):
    return [module for module in model.modules() if isinstance(module, bitsandbytes.nn.Linear4bit)]


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


def stage(**trainer):
    return small.train_stage(model=NF4, **RUN | trainer)


def trained(out, rows, **trainer):
    out.mkdir(exist_ok=True)
    train(stage(**trainer), dataset=rows, out=out)
    return small.contents(out, FILES)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, rows):
    out = tmp_path_factory.mktemp("unbroken")
    return out, trained(out, rows)


def test_the_decoders_linear_layers_are_quantized_and_nothing_else():
    model = loading.load(BASE)
    plain = loading.load(small.model_config())
    linear = [module for module in plain.model.modules() if type(module) is torch.nn.Linear]
    assert len(quantized_layers(model)) == len(linear)
    layer = quantized_layers(model)[0].weight
    assert (layer.quant_type, layer.compress_statistics, layer.requires_grad) == ("nf4", True, False)
    assert type(model.lm_head) is torch.nn.Linear
    assert model.lm_head.weight.dtype == model.model.embed_tokens.weight.dtype == torch.float32
    assert float((logits(model) - logits(plain)).abs().max()) > 0


def test_inference_leaves_the_weights_in_the_layout_of_the_training():
    """Else the next backward on a CPU with AVX512-BF16 has no gradient, and the values are those of bfloat16."""
    model = weights.add_adapter(loading.load(BASE), stage().lora, 0)
    before = [layer.weight.data.clone() for layer in quantized_layers(model)]
    logits(model.eval())
    assert all(layer.weight.data.equal(old) for layer, old in zip(quantized_layers(model), before, strict=True))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.01)
    model.train()(IDS).logits.square().mean().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in weights.weights(model).values())


@pytest.fixture(scope="module")
def some_rows(tmp_path_factory, rows):
    tokenizer = loading.load_tokenizer("asset:tiny")
    return read(rows, "train", tokenizer, 512, tmp_path_factory.mktemp("rows"))


def loss_and_gradient(some_rows, split):
    base = loading.load(BASE)
    if split == "packed":
        packed.use_packed_attention(base)
    model = weights.add_adapter(base, replace(stage().lora, dropout=0.0), 0).train()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.sin(torch.arange(weight.numel())).reshape(weight.shape) * 0.05)
    numbers, total = list(range(len(some_rows))), 0.0
    for part in [[number] for number in numbers] if split == "one by one" else [numbers]:
        loss = token_losses(model, data.collate(some_rows, part, split == "packed")).sum()
        loss.backward()
        total += loss.item()
    return total, torch.cat([weight.grad.flatten() for weight in weights.weights(model).values()])


def test_packed_padded_and_one_by_one_are_the_same(some_rows):
    loss, gradient = loss_and_gradient(some_rows, "one by one")
    for split in ("packed", "padded"):
        our_loss, our_gradient = loss_and_gradient(some_rows, split)
        assert our_loss == pytest.approx(loss, rel=1e-5), split
        assert float((our_gradient - gradient).norm() / gradient.norm()) < 1e-4, split


@pytest.mark.slow
def test_the_same_settings_give_the_same_bytes_with_and_without_recomputed_activations(tmp_path, rows, unbroken):
    out, files = unbroken
    with (out / "metrics.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]
    assert trained(tmp_path / "again", rows) == files
    assert trained(tmp_path / "recomputed", rows, activation_checkpointing=True) == files


@pytest.mark.parametrize("step", [1, 4, 8])
def test_goes_on_after_an_interruption(tmp_path, rows, unbroken, monkeypatch, step):
    with monkeypatch.context() as patch:
        patch.setattr(callback.TrainingCallback, "_log", stopping_at(step))
        with pytest.raises(Killed):
            trained(tmp_path, rows)
    assert checkpoint.step(tmp_path) == step // 3 * 3
    assert trained(tmp_path, rows) == unbroken[1]


def test_evaluation_and_merging_have_the_weights_of_the_training(tmp_path, unbroken):
    trained_on_nf4 = TrainedWeights.open(unbroken[0])
    model = trained_on_nf4.load(BASE)
    assert quantized_layers(model)
    expected = logits(model)
    assert torch.allclose(logits(trained_on_nf4.load_to_merge(BASE)), expected, atol=1e-4)
    merge(BASE, trained_on_nf4.adapter, tmp_path / "merged")
    assert "quantization_config" not in json.loads((tmp_path / "merged" / "config.json").read_text())
    plain = small.model_config(name_or_path=str(tmp_path / "merged"))
    assert not quantized_layers(loading.load(plain))
    assert torch.allclose(logits(loading.load(plain)), expected, atol=1e-4)
    on_original = trained_on_nf4.load(small.model_config())
    assert not torch.allclose(logits(on_original), expected, atol=1e-3), "the base matters"


def test_the_dequantized_base_alone_can_be_written(tmp_path):
    merge(BASE, None, tmp_path)
    plain = small.model_config(name_or_path=str(tmp_path))
    assert torch.allclose(logits(loading.load(plain)), logits(loading.load(BASE)), atol=1e-5)


def test_bfloat16_weights_are_dequantized_to_the_values_that_they_compute_with():
    config = replace(BASE, dtype="bfloat16")
    layer = quantized_layers(loading.load(config))[0]
    values = bitsandbytes.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    assert values.dtype == torch.bfloat16
    merged = loading.load_to_merge(config).model.layers[0].self_attn.q_proj.weight
    assert merged.dtype == torch.float32
    assert merged.equal(values.float())


def test_answers_come_from_the_quantized_base_with_the_adapter(tmp_path, unbroken):
    test = small.dataset(tmp_path / "test", train=0, validation=0, test=2)
    out = tmp_path / "answers"
    out.mkdir()
    evaluate(small.evaluate_stage(model=NF4), test=test, adapter=unbroken[0], out=out)
    assert len((out / "answers.jsonl").read_text().splitlines()) == 2


def test_a_missing_bitsandbytes_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(quantization, "find_spec", lambda _: None)
    message = r"^model\.quantize=nf4: needs the package bitsandbytes, .*; pip install 'raft_exp\[qlora\]'$"
    with pytest.raises(ModelError, match=message):
        loading.load(BASE)
    assert loading.load(small.model_config())


def test_the_memory_of_the_base_is_told_from_its_configuration():
    memory = loading.base_memory(BASE)
    model = loading.load(BASE)
    measured = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    for layer in quantized_layers(model):
        state = layer.weight.quant_state
        measured += state.absmax.nbytes + state.state2.absmax.nbytes
    assert memory.bytes == pytest.approx(measured, rel=1e-3)
    assert memory.parameters == sum(weight.numel() for weight in loading.load(small.model_config()).parameters())
    assert memory.quantized == sum(quantization.elements(layer.weight) for layer in quantized_layers(model))


def test_a_missing_bitsandbytes_is_told_before_any_stage_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(quantization, "find_spec", lambda _: None)
    config = parse(compose("model.quantize=nf4", f"store={tmp_path / 'store'}"))
    stages = build(config, lambda files: {})
    with pytest.raises(ModelError, match=r"pip install 'raft_exp\[qlora\]'"):
        Runner(Store(tmp_path / "store"), tmp_path, tmp_path / "config.yaml").execute(stages)
    assert not list(tmp_path.glob("store/ingest/*"))


def test_a_plan_tells_the_memory_of_the_base(tmp_path, capsys):
    config = parse(compose("model.quantize=nf4", "model=pocket", f"store={tmp_path / 'store'}"))
    Runner(Store(tmp_path / "store"), tmp_path, tmp_path / "config.yaml").plan(build(config, lambda files: {}))
    line = "memory of model asset:pocket (nf4): 3.5 MiB (72% of 2 million weights in 4 bits)"
    assert line in capsys.readouterr().err


@pytest.mark.slow
def test_a_quantized_study_is_exported_with_its_drift(tmp_path, capsys):
    run = small_study.make(tmp_path, "model.quantize=nf4", "evaluation.arms=[raft]")
    export.main([str(run), f"out={tmp_path / 'merged'}", "tolerance=1e-4"])
    assert "drift of the logits on 6 test prompts" in capsys.readouterr().out
    assert "quantization_config" not in json.loads((tmp_path / "merged" / "config.json").read_text())
    card = (tmp_path / "merged" / "README.md").read_text()
    assert "The base was quantised to nf4 in training and evaluation; its dequantised weights are merged here." in card
    assert "QLoRA r=32" in card
