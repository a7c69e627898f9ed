"""Models whose layers cannot take packed rows, and mixtures of experts, train with the default settings."""

import logging
from dataclasses import replace

import pytest
import torch
import transformers

from raft_exp.core.errors import ModelError
from raft_exp.models import loading
from raft_exp.training import data, packed, weights
from raft_exp.training.loss import token_losses
from raft_exp.training.rows import encode
from raft_exp.training.stage import train
from tests.helpers import small_training as small

SHAPE = {
    "vocab_size": 2048,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
LINEAR = {
    "head_dim": 16,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "layer_types": ["linear_attention", "full_attention"],
}
UNPACKED: dict[str, tuple[dict, str]] = {
    "Gemma2": ({"head_dim": 16}, "the model's attention uses softcap, which packing cannot compute"),
    "GptOss": (
        {"head_dim": 16, "num_local_experts": 4},
        "the model's attention uses s_aux, which packing cannot compute",
    ),
    "Qwen3_5": (LINEAR, "layers of Qwen3_5ForCausalLM mix tokens of different packed rows"),
}
EXPERTS = {
    "Qwen3Moe": {"head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
    "Mixtral": {"num_local_experts": 4},
}


def network(family: str, **settings):
    name = "Qwen3_5Text" if family == "Qwen3_5" else family
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = getattr(transformers, f"{name}Config")(**SHAPE | settings)
        return getattr(transformers, f"{family}ForCausalLM")(config).eval()


def stage(folder, model, **changes):
    """A training of this model with the embedded tokenizer, and trainer.packing=auto."""
    model.save_pretrained(folder)
    loading.load_tokenizer("asset:tiny").save_pretrained(folder)
    config = small.train_stage(model={"name_or_path": str(folder)}, max_steps=2, **changes)
    return replace(config, may_pad=True)


@pytest.mark.parametrize("family", UNPACKED)
def test_a_model_that_cannot_take_packed_rows_trains_with_padded_ones(tmp_path, rows, caplog, family):
    settings, reason = UNPACKED[family]
    config = stage(tmp_path / "model", network(family, **settings))
    (tmp_path / "out").mkdir()
    with caplog.at_level(logging.WARNING):
        train(config, dataset=rows, out=tmp_path / "out")
    assert f"rows are padded instead of packed: {reason}" in [record.getMessage() for record in caplog.records]
    (tmp_path / "padded").mkdir()
    padded = replace(config, trainer=replace(config.trainer, packing=False), may_pad=False)
    train(padded, dataset=rows, out=tmp_path / "padded")
    assert (tmp_path / "out" / "metrics.csv").read_bytes() == (tmp_path / "padded" / "metrics.csv").read_bytes()
    with pytest.raises(ModelError, match=r"trainer\.packing=true: .*; use trainer\.packing=false, or another model"):
        train(replace(config, may_pad=False), dataset=rows, out=tmp_path / "refused")


def test_a_model_that_fails_on_packed_rows_is_padded_with_its_own_attention():
    model = network("Llama")
    own = model.config._attn_implementation

    def forward(*_, **inputs):
        raise TypeError("forward() got an unexpected keyword argument 'cu_seq_lens_q'")

    model.forward = forward
    assert packed.pack_where_possible(model, by_kernel=False) is False
    assert model.config._attn_implementation == own


def test_packing_stays_where_the_model_can():
    assert packed.pack_where_possible(network("Llama"), by_kernel=True) is True


@pytest.mark.parametrize(("by_kernel", "packs"), [(True, False), (False, True)])
def test_attention_dropout_is_padded_where_a_kernel_without_it_would_serve(caplog, by_kernel, packs):
    model = network("Llama")
    model.config.attention_dropout = 0.1
    assert packed.pack_where_possible(model, by_kernel) is packs
    assert ("the model has attention_dropout=0.1" in caplog.text) is not packs


@pytest.mark.parametrize("family", EXPERTS)
def test_a_mixture_of_experts_trains_with_the_default_adapter(tmp_path, rows, caplog, family):
    config = stage(tmp_path / "model", network(family, **EXPERTS[family]), dropout=0.1)
    (tmp_path / "out").mkdir()
    with caplog.at_level(logging.WARNING):
        train(config, dataset=rows, out=tmp_path / "out")
    messages = [record.getMessage() for record in caplog.records]
    assert "lora.dropout=0.1: not applied to adapters of stacked expert weights (mixture of experts)" in messages
    assert not [message for message in messages if "padded" in message]
    ids = torch.arange(20)[None]
    with torch.no_grad():
        base = loading.load(config.model)(ids).logits
        learned = loading.with_adapter(loading.load(config.model), tmp_path / "out" / "adapter")(ids).logits
    assert float((base - learned).abs().max()) > 1e-5


@pytest.mark.parametrize("family", ["Llama", "Qwen3Moe"])
def test_dropout_is_before_the_linear_layers_of_the_adapter(family):
    model = weights.add_adapter(network(family, **EXPERTS.get(family, {})), small.train_stage(dropout=0.1).lora, 0)
    drops = [module for module in model.modules() if isinstance(module, torch.nn.Dropout) and module.p == 0.1]
    assert len(drops) >= 2 * 4  # the projections of attention in two layers
    assert model.peft_config["default"].lora_dropout == (0.1 if family == "Llama" else 0.0)


class Casts(torch.utils._python_dispatch.TorchDispatchMode):
    """Counts the elements that are converted to another dtype."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function is torch.ops.aten._to_copy.default and result.dtype != args[0].dtype:
            self.elements += result.numel()
        return result


def test_a_16_bit_model_keeps_its_activations_in_16_bits(tmp_path):
    rows = encode(
        [small.example(n, "train") for n in range(4)], loading.load_tokenizer("asset:tiny"), 512, tmp_path / "rows"
    )
    results = []
    for mixed in (False, True):
        model = network("Llama").to(torch.bfloat16)
        packed.use_packed_attention(model)
        model = weights.add_adapter(model, small.train_stage(dropout=0.0).lora, seed=0, mixed=mixed).train()
        with Casts() as casts, torch.autocast("cpu", torch.bfloat16):
            losses = token_losses(model, data.pack(rows, range(4)))
        losses.sum().backward()
        gradients = torch.cat([weight.grad.flatten() for weight in weights.weights(model).values()])
        results.append((casts.elements, losses, gradients))
    assert results[1][0] < 0.7 * results[0][0]
    assert torch.equal(results[1][1], results[0][1])
    assert torch.equal(results[1][2], results[0][2])
