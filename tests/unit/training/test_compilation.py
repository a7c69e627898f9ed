"""Whether the layers are compiled (trainer.compile), and compiled layers over batches of many lengths."""

import logging
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from torch._dynamo.utils import counters

from raft_exp.core.errors import ModelError
from raft_exp.core.schema import identity
from raft_exp.pipeline.estimate import compilation as note
from raft_exp.training import adapter, compilation, data, packed, speed, weights
from raft_exp.training.config import LoraConfig
from raft_exp.training.data import TrainingPlan
from raft_exp.training.loss import token_losses
from raft_exp.training.rows import Rows
from tests.helpers import small_training as small
from tests.helpers.stages import stages_of


def qwen(**changes):
    shape = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    config = transformers.Qwen2Config(**shape | {"num_attention_heads": 4, "num_key_value_heads": 4} | changes)
    torch.manual_seed(0)
    return transformers.Qwen2ForCausalLM(config)


def some_rows(count: int, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    sizes = random.integers(9, 40, count)
    tokens = random.integers(3, 60, int(sizes.sum())).astype(np.int32)
    return Rows([f"r{n}" for n in range(count)], tokens, np.cumsum(sizes), np.full(count, 4))


def adapted(model):
    packed.use_packed_attention(model)
    lora = LoraConfig(r=4, alpha=8, dropout=0.0, target_modules="all-linear", rslora=False)
    return weights.add_adapter(model, lora, seed=0).train()


@pytest.fixture
def module(monkeypatch):
    """A training of four steps on a GPU on which it takes `seconds` seconds."""
    monkeypatch.setattr(compilation, "compiler_error", lambda device: "")
    rows = some_rows(8)
    plan = TrainingPlan.make(rows, 0, 4, 2, -1)
    model = adapted(qwen())

    def make(seconds: float, world_size: int = 1, device: str = "cuda"):
        peak = speed.operations(model, plan) / seconds / world_size / compilation.USED
        monkeypatch.setattr(speed, "peak", lambda device: peak)
        trainer = SimpleNamespace(world_size=world_size)
        return SimpleNamespace(model=model, plan=plan, trainer=trainer, device=torch.device(device))

    return make


@torch.library.custom_op("raft_exp_tests::varlen", mutates_args=())
def kernel(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, longest: int) -> torch.Tensor:
    return query + 2 * key + 3 * value


kernel.register_fake(lambda query, key, value, longest: torch.empty_like(query))
kernel.register_autograd(
    lambda ctx, gradient: (gradient, 2 * gradient, 3 * gradient, None), setup_context=lambda *_, **__: None
)


def config(compiled="auto", **changes):
    return replace(small.trainer_config(**changes), compile=compiled)


@pytest.mark.parametrize(("seconds", "compiles"), [(590.0, False), (610.0, True), (36000.0, True)])
@pytest.mark.parametrize("world_size", [1, 4])
def test_auto_compiles_where_the_plan_takes_longer_than_pays(caplog, module, seconds, compiles, world_size):
    with caplog.at_level(logging.INFO):
        assert compilation.wants_compilation(module(seconds, world_size), config()) is compiles
    (message,) = [record.getMessage() for record in caplog.records if record.name == compilation.__name__]
    assert message.startswith(f"layers are {'' if compiles else 'not '}compiled (trainer.compile=auto): ")
    assert "\n" not in message


def test_what_a_plan_takes_is_the_sum_over_its_steps(module):
    fake = module(500.0)
    cost = speed.StepCost.of(fake.model)
    assert speed.operations(fake.model, fake.plan) == pytest.approx(sum(cost(fake.plan, n) for n in range(4)))


def test_a_gpu_of_unknown_peak_is_taken_for_a_usual_one(monkeypatch, module):
    fake = module(1e9)
    monkeypatch.setattr(speed, "peak", lambda device: 0.0)
    assert compilation.wants_compilation(fake, config()) is False
    monkeypatch.setattr(compilation, "_USUAL_PEAK", 1e-9)
    assert compilation.wants_compilation(fake, config()) is True


def test_auto_says_why_it_does_not_compile(caplog, monkeypatch, module):
    long = module(1e5)
    cases = [
        (module(1e5, device="cpu"), config(), "the training does not run on a CUDA GPU"),
        (long, config(strategy="fsdp"), "the weights are sharded"),
    ]
    stacked = module(1e5)
    stacked.model = torch.nn.ParameterDict({"experts": torch.nn.Parameter(torch.ones(2, 2, 2))})
    cases.append((stacked, config(), "the model is a mixture of experts"))
    quantised = module(1e5)
    weight = torch.nn.Parameter(torch.ones(2, 2))
    weight.quant_state = None
    quantised.model = torch.nn.ParameterDict({"weight": weight})
    cases.append((quantised, config(), "the base model is quantised"))
    for fake, settings, reason in cases:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert compilation.wants_compilation(fake, settings) is False
        assert caplog.messages == [f"layers are not compiled (trainer.compile=auto): {reason}"]


def test_without_a_compiler_auto_trains_and_true_is_an_error(caplog, monkeypatch, module):
    long = module(1e5)
    monkeypatch.setattr(compilation, "compiler_error", lambda device: "RuntimeError: Failed to find C compiler.")
    with caplog.at_level(logging.INFO):
        assert compilation.wants_compilation(long, config()) is False
    reason = "cannot compile here (RuntimeError: Failed to find C compiler.)"
    assert caplog.messages == [f"layers are not compiled (trainer.compile=auto): {reason}"]
    with pytest.raises(ModelError) as error:
        compilation.wants_compilation(long, config(compiled=True))
    assert str(error.value) == f"trainer.compile=true: {reason}; use trainer.compile=false"
    assert compilation.wants_compilation(long, config(compiled=False)) is False


def test_a_missing_compiler_is_one_line(monkeypatch):
    def compiles(function, dynamic):
        raise RuntimeError("\n  Failed to find C compiler.\nSet CC.\n")

    monkeypatch.setattr(torch, "compile", compiles)
    assert compilation.compiler_error(torch.device("cpu")) == "RuntimeError: Failed to find C compiler."


def test_auto_has_the_key_of_false(monkeypatch):
    settings = config()
    assert identity(settings.resolved("float32")) == identity(config(compiled=False).resolved("float32"))
    assert config(compiled=True).resolved("float32").compile is True
    keys = {}
    for value in ("auto", "false", "true"):
        stage = stages_of("trainer=gpu", f"trainer.compile={value}")["train[raft]"]
        assert stage.config.may_compile is (value == "auto")
        keys[value] = stage.key
    assert keys["auto"] == keys["false"] != keys["true"]


def test_a_plan_says_when_layers_are_compiled():
    stages = list(stages_of("trainer=gpu").values())
    assert "layers are compiled where a training on a GPU takes more than about 10 min" in note(stages)
    assert round(compilation.LONGER / 60) == 10
    for others in (("trainer=cpu",), ("trainer=fsdp",), ("trainer=gpu", "trainer.compile=false")):
        assert note(list(stages_of(*others).values())) == ""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
@pytest.mark.parametrize("lean", [False, True])
def test_layers_are_compiled_once_for_all_lengths(monkeypatch, lean):
    """The length of the longest row is a Python integer, which must not be compiled into the code."""
    assert compilation.compiler_error(torch.device("cpu")) == ""

    def varlen(query, key, value, offsets, _, longest, __, **others):
        return kernel(query, key, value, longest)

    def attention(module, query, key, value, mask, *, cu_seq_lens_q, max_length_q, scaling, **others):
        return packed._by_kernel(query, key, value, cu_seq_lens_q, max_length_q, scaling, 0.0, None), None

    monkeypatch.setattr(packed, "varlen_attn", varlen)
    monkeypatch.setattr(packed, "attention", attention)
    monkeypatch.setattr(packed, "_check", lambda model: None)
    model = adapted(qwen())
    expected = learned(model)
    monkeypatch.setattr(adapter, "ON", ("cpu",) if lean else ())
    compilation.compile_layers(model)
    counters.clear()
    found = learned(model)
    assert counters["stats"]["unique_graphs"] == 1
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def learned(model) -> list[torch.Tensor]:
    """The gradients of four batches of different lengths."""
    model.zero_grad()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.constant_(weight, 0.01)
    for count in (3, 5, 1, 2):
        token_losses(model, data.pack(some_rows(count, seed=count), range(count))).sum().backward()
    return [weight.grad.clone() for weight in weights.weights(model).values()]
