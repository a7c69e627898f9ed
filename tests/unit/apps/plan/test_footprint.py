"""Sizes of a model without its values: by hand, and beside what a training step of the real model saves."""

import pytest
import torch
from transformers import Gemma2Config, GPT2Config, LlamaConfig, MixtralConfig, Qwen3Config, Qwen3MoeConfig

from raft_exp.apps.plan.devices import CORE, GPUS, device
from raft_exp.apps.plan.footprint import footprint
from raft_exp.core.errors import ModelError
from raft_exp.models import loading
from raft_exp.models.loading import ModelConfig
from raft_exp.training import packed, speed, weights
from raft_exp.training.config import LoraConfig
from raft_exp.training.data import Batch
from raft_exp.training.layers import activation_bytes
from tests.helpers.small_models import EXPERTS, SMALL

FAMILIES = {
    "llama": LlamaConfig(**SMALL),
    "qwen3": Qwen3Config(**SMALL | {"tie_word_embeddings": True}),
    "qwen3_moe": Qwen3MoeConfig(**SMALL, **EXPERTS),
    "mixtral": MixtralConfig(**SMALL, num_local_experts=4),
    "gemma2": Gemma2Config(**SMALL, sliding_window=8),
    "gpt2": GPT2Config(n_positions=1024, n_embd=32, n_layer=2, n_head=2, vocab_size=600),
}
LORA = LoraConfig(4, 8, 0.05, "all-linear", False)


def model(name, dtype="float32"):
    return ModelConfig(str(name), None, dtype, 512, 64)


@pytest.fixture
def folder(tmp_path):
    def write(config):
        config.save_pretrained(tmp_path)
        return tmp_path

    return write


def test_sizes_by_hand(folder):
    made = footprint(model(folder(FAMILIES["llama"]), "bfloat16"), LORA, "bf16-mixed")
    attention, mlp = 2 * 32 * 32 + 2 * 32 * 16, 3 * 32 * 48
    layer = attention + mlp + 2 * 32  # with two norms
    assert made.parameters == 2 * 600 * 32 + 2 * layer + 32
    assert made.linear == 2 * (attention + mlp)
    adapter = 2 * 4 * (2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 48))  # r (in + out) of each linear layer
    assert (made.trained, made.trained_bytes) == (adapter, 4 * adapter), "float32"
    assert made.frozen_bytes == made.saved_bytes == 2 * made.parameters
    assert made.state_bytes() == 16 * adapter, "weight, gradient and two moments"
    assert made.cache_bytes == 2 * 2 * 1 * 16 * 2, "key and value, layers, heads, size, bytes"


def test_all_weights_are_trained_in_float32_under_autocast(folder):
    whole = LoraConfig(0, 8, 0.0, "all-linear", False)
    made = footprint(model(folder(FAMILIES["llama"]), "bfloat16"), whole, "bf16-mixed")
    assert made.frozen_bytes == 0
    assert made.trained_bytes == 4 * made.parameters == 2 * made.saved_bytes
    true = footprint(model(folder(FAMILIES["llama"]), "bfloat16"), whole, "bf16-true")
    assert true.trained_bytes == 2 * made.parameters


@pytest.mark.parametrize("family", FAMILIES)
def test_activations_of_dense_models_are_known(family, folder):
    """A mixture of experts sends tokens by their values, which are not there."""
    sizes = footprint(model(folder(FAMILIES[family])), LORA, "32-true").activations
    if family in ("qwen3_moe", "mixtral"):
        assert sizes is None
        return
    assert sizes is not None
    assert sizes.a_token > 10 * sizes.a_token_recomputed
    assert sizes.a_supervised_token >= 4 * 600, "the logits at least"


@pytest.mark.parametrize("dropout", [0.0, 0.05])
def test_activations_are_those_of_a_real_step(dropout):
    """The embedded model with packed rows, as it is trained."""
    lora = LoraConfig(16, 32, dropout, "all-linear", False)
    made = footprint(model("asset:pocket"), lora, "32-true").activations
    base = loading.load(model("asset:pocket"))
    packed.use_packed_attention(base)
    real = weights.trainable(base, lora, "32-true", 0).train()
    tokens, learned, rows = 900, 80, 3
    ids = torch.arange(tokens) % 1000 + 2
    batch: Batch = {
        "inputs": {
            "input_ids": ids[None],
            "position_ids": (torch.arange(tokens) % (tokens // rows))[None],
            "cu_seq_lens_q": torch.arange(0, tokens + 1, tokens // rows, dtype=torch.int32),
            "max_length_q": tokens // rows,
        },
        "keep": torch.arange(learned),
        "targets": ids[:learned],
        "rows": rows,
    }
    assert made is not None
    expected = tokens * made.a_token + learned * made.a_supervised_token
    assert expected == pytest.approx(activation_bytes(real, batch), rel=0.1)


def test_a_model_that_is_not_at_hand_is_named_with_the_command_that_fetches_it(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    absent = ModelConfig("owner/absent", "abc", "float32", 512, 64)
    with pytest.raises(ModelError, match=r"`hf download owner/absent config\.json --revision abc`"):
        footprint(absent, LORA, "32-true")


def test_devices_have_the_peaks_that_training_measures_against():
    names = {name: name.upper() for name in GPUS} | {"rtx4090": "RTX 4090"}
    assert {name: GPUS[name][1] for name in GPUS} == {name: speed._PEAKS[names[name]] for name in GPUS}
    assert device("h100").reached == 0.25 * 989e12
    assert device("l4", 0.5).reached == 0.5 * 121e12
    assert device("cpu", cores=2).reached == 2 * CORE
