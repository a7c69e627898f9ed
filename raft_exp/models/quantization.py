"""Base models with 4-bit weights (QLoRA, arXiv 2305.14314): NF4 with double quantisation, with bitsandbytes.

The linear layers of the decoder are quantised. Embeddings, norms and the output head keep the model's dtype. A
quantised layer dequantises its weights to this dtype for each computation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from raft_exp.core.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import BitsAndBytesConfig, PretrainedConfig, PreTrainedModel

Method = Literal["nf4"]

# 4 bits for a weight, an 8-bit scale for each block of 64 weights, and a 32-bit scale for each 256 of these scales.
BYTES_A_WEIGHT = (4 + 8 / 64 + 32 / (64 * 256)) / 8


def check_installed(method: Method | None, group: str = "model") -> None:
    """Raises ModelError if `method` is set and bitsandbytes is not installed. `group`: the config group in messages."""
    if method is not None and find_spec("bitsandbytes") is None:
        raise ModelError(
            f"{group}.quantize={method}: needs the package bitsandbytes, which is not installed; "
            "pip install 'raft_exp[qlora]'"
        )


def settings(dtype: "torch.dtype") -> "BitsAndBytesConfig":
    """Returns the settings of transformers for NF4 with double quantisation and computation in `dtype`."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def use_one_kernel(model: "PreTrainedModel") -> None:
    """Switches off the CPU kernel of bitsandbytes for bfloat16 inference, because this kernel has no gradient.

    On a CPU with AVX512-BF16, bitsandbytes converts the weights for this kernel at the first inference. Training
    after a validation pass would then have a gradient of zero.
    """
    for layer in _quantized_layers(model):
        layer.support_avx512bf16_for_cpu = False


def dequantized(model: "PreTrainedModel") -> "PreTrainedModel":
    """Replaces the quantised layers by ordinary linear layers with the dequantised weights, and returns the model."""
    whole: PreTrainedModel = model.dequantize()
    whole.is_loaded_in_4bit = False
    return whole


def elements(weight: "nn.Parameter") -> int:
    """Returns the number of values of a weight. A quantised weight stores two values in a byte."""
    state = getattr(weight, "quant_state", None)
    return int(weight.numel() if state is None else state.shape.numel())


@dataclass(frozen=True)
class BaseMemory:
    """The memory that the weights of a base model need."""

    parameters: int
    bytes: int
    quantized: int  # number of quantised parameters

    def __str__(self) -> str:
        size = f"{self.bytes / 2**30:.1f} GiB" if self.bytes >= 2**30 else f"{self.bytes / 2**20:.1f} MiB"
        return (
            f"{size} ({self.quantized / self.parameters:.0%} of {self.parameters / 1e6:,.0f} million weights in 4 bits)"
        )


def base_memory(config: "PretrainedConfig", dtype: "torch.dtype") -> BaseMemory:
    """Computes the memory of a quantised base model from its configuration, without its weights."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.quantizers.base import HfQuantizer
    from transformers.quantizers.quantizers_utils import should_convert_module

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    skipped = HfQuantizer.get_modules_to_not_convert(model, None, model._keep_in_fp32_modules)
    names = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if type(module) is torch.nn.Linear and should_convert_module(name, skipped)
    }
    total = quantized = 0
    for name, weight in model.named_parameters():  # tied weights come once
        total += weight.numel()
        quantized += weight.numel() if name in names else 0
    size = quantized * BYTES_A_WEIGHT + (total - quantized) * dtype.itemsize
    return BaseMemory(total, round(size), quantized)


def _quantized_layers(model: "nn.Module") -> "Iterator[nn.Module]":
    return (module for module in model.modules() if hasattr(module, "support_avx512bf16_for_cpu"))
