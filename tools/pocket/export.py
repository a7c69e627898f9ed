"""Writes the pocket model as a Qwen3 model folder, which transformers and vLLM can load."""

import json
from pathlib import Path

from torch import Tensor

from tools.pocket.network import Network
from tools.pocket.vocabulary import BOS, EOS, build_tokenizer

MAX_LENGTH = 2048
# Line ends are inside {{ }}, because Jinja drops one that follows a block.
CHAT_TEMPLATE = (
    "<s>{% for message in messages %}{% if message['role'] == 'assistant' %}{{ message['content'] + '</s>' }}"
    "{% if not loop.last %}{{ '\\n\\n' }}{% endif %}"
    "{% elif message['role'] == 'user' %}{{ message['content'] + '\\n' }}"
    "{% else %}{{ message['content'] + '\\n\\n' }}{% endif %}{% endfor %}"
)


def export(network: Network, folder: Path) -> None:
    """Writes the weights (bfloat16, safetensors), the configuration and the tokenizer to `folder`."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.detach().bfloat16().contiguous() for name, weight in qwen3_weights(network).items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _write(folder / "config.json", _config(network))
    _write(
        folder / "generation_config.json", {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1, "do_sample": False}
    )
    write_tokenizer(folder)


def write_tokenizer(folder: Path) -> None:
    """Writes tokenizer.json, and tokenizer_config.json with a chat template that adds no role markers."""
    build_tokenizer().save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": EOS,
        "model_max_length": MAX_LENGTH,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    _write(folder / "tokenizer_config.json", settings)


def qwen3_weights(network: Network) -> dict[str, Tensor]:
    """Returns the weights of the network under their names in Qwen3 of transformers."""
    weights = {
        "model.embed_tokens.weight": network.embedding.weight,
        "model.norm.weight": network.norm.weight,
        "lm_head.weight": network.head.weight,
    }
    for number, layer in enumerate(network.layers):
        query, key, value = layer.qkv.weight.chunk(3)
        gate, up = layer.gate_up.weight.chunk(2)
        parts = {
            "self_attn.q_proj": query,
            "self_attn.k_proj": key,
            "self_attn.v_proj": value,
            "self_attn.o_proj": layer.out.weight,
            "self_attn.q_norm": layer.query_norm.weight,
            "self_attn.k_norm": layer.key_norm.weight,
            "mlp.gate_proj": gate,
            "mlp.up_proj": up,
            "mlp.down_proj": layer.down.weight,
            "input_layernorm": layer.before_attention.weight,
            "post_attention_layernorm": layer.before_mlp.weight,
        }
        weights |= {f"model.layers.{number}.{name}.weight": weight for name, weight in parts.items()}
    return weights


def _config(network: Network) -> dict[str, object]:
    shape = network.shape
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": MAX_LENGTH,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.theta},
        "attention_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": False,
        "use_cache": True,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
        "dtype": "bfloat16",
    }


def _write(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
