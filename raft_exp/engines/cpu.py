"""Faster decoding on a CPU, most of all of models in 16 bits.

torch's attention kernel for the CPU is made for long queries. For the single query of a decoding step it takes several
times as long as two batched matrix products, most of all in 16 bits and where several query heads share a key head.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

NAME = "raft_cpu"


def use_attention(model: "PreTrainedModel") -> None:
    """Sets this attention in a model on the CPU that uses torch's (`sdpa`); other models stay as they are."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    if model.device.type != "cpu" or model.config._attn_implementation != "sdpa":
        return
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


def use_adapter_dtype(model: "PeftModel") -> None:
    """Converts a LoRA adapter on the CPU to the base model's dtype, as vLLM does: float32 doubles the time of a prompt.

    A DoRA adapter stays in float32: its norms need the digits.
    """
    parameters = dict(model.named_parameters())
    if model.device.type != "cpu" or any("lora_magnitude_vector" in name for name in parameters):
        return
    for name, parameter in parameters.items():
        if ".lora_A." in name or ".lora_B." in name:
            parameter.data = parameter.data.to(model.dtype)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    **others: object,
) -> tuple[Tensor, None]:
    """transformers' attention interface: [rows, heads, tokens, size] to [rows, tokens, heads, size].

    One new token a row goes by matrix products in groups of query heads. All else, and float32 without groups, is left
    to torch.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    rows, heads, tokens, size = query.shape
    groups = heads // key.shape[1]
    if tokens > 1 or (groups == 1 and query.dtype == torch.float32):
        out, _ = sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **others)
        return out, None
    grouped = query.reshape(rows, key.shape[1], groups, size)
    scores = (grouped @ key.transpose(2, 3)).float() * (1 / math.sqrt(size) if scaling is None else scaling)
    if attention_mask is not None:
        mask = attention_mask[..., : key.shape[2]]
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    weights = torch.softmax(scores, -1).to(value.dtype)
    return (weights @ value).reshape(rows, 1, heads, value.shape[-1]), None
