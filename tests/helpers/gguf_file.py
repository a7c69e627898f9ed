"""The embedded model `asset:tiny` as a GGUF file, with its weights as they are, and metadata of choice."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from raft_exp import assets

CHATML = (
    "{% for message in messages %}"
    "{{ '<s>' + message['role'] + '\n' + message['content'] + '<pad>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}"
)
_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write(file: Path, **metadata: Any) -> Path:
    """Writes the file. `metadata` changes fields of the header: `eos_token_id=0`, `pre="smollm"`, `licence="mit"`."""
    from gguf import GGUFWriter

    folder = assets.path("asset:tiny")
    config = json.loads((folder / "config.json").read_text())
    writer = GGUFWriter(file, "llama")
    if licence := metadata.get("licence"):
        writer.add_license(licence)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(metadata.get("layers", config["num_hidden_layers"]))
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    _write_tokenizer(writer, folder, metadata)
    for name, value in load_file(folder / "model.safetensors").items():
        writer.add_tensor(_name(name), _as_llama_cpp(name, value.astype(np.float32), config["num_attention_heads"]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _write_tokenizer(writer: Any, folder: Path, metadata: dict[str, Any]) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    ids = {**tokenizer["model"]["vocab"], **{token["content"]: token["id"] for token in tokenizer["added_tokens"]}}
    controls = {token["content"] for token in tokenizer["added_tokens"]}
    tokens = sorted(ids, key=lambda token: ids[token])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(metadata.get("pre", "default"))
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in controls else 1 for token in tokens])
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in merges])
    writer.add_bos_token_id(ids["<s>"])
    writer.add_eos_token_id(ids[metadata.get("eos", "</s>")])
    writer.add_pad_token_id(ids["<pad>"])
    if template := metadata.get("chat_template"):
        writer.add_chat_template(template)


def _name(name: str) -> str:
    if not name.startswith("model.layers."):
        return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]
    _, _, number, rest = name.split(".", 3)
    return f"blk.{number}.{_NAMES[rest.removesuffix('.weight')]}.weight"


def _as_llama_cpp(name: str, value: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp rotates neighbouring dimensions, transformers the halves of a head."""
    if "q_proj" not in name and "k_proj" not in name:
        return value
    rows, columns = value.shape
    return value.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
