"""Computes the memory of a model, of its training and of its activations, without loading its weights.

The model is built on torch's meta device, where tensors have shapes but no values. The model's configuration must be on
this machine: in a folder, in the package, or in the hub's local cache. The network is not used.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.core.errors import ModelError
from raft_exp.models.loading import ModelConfig, base_memory, explained, quiet, resolve
from raft_exp.training.config import LoraConfig

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel

    from raft_exp.training.data import Batch

_LENGTHS = (256, 512, 768)  # tokens of the forward passes that activations are computed from
_SUPERVISED = (32, 64)


@dataclass(frozen=True)
class Activations:
    """Bytes of activations that a forward pass saves for the backward pass."""

    a_token: float
    a_supervised_token: float  # in addition, for each supervised token
    a_token_recomputed: float  # with activation checkpointing: the inputs of the layers
    one_layer: float  # with activation checkpointing: per token, of the layer that is recomputed


@dataclass(frozen=True)
class Footprint:
    """Numbers of weights and bytes of one model and its training."""

    parameters: int  # of the base model; tied weights count once
    linear: int  # weights in matrices that every token is multiplied with: without embeddings and head
    layers: int
    frozen_bytes: int  # of weights in memory that are not trained
    trained: int  # weights that are trained
    trained_bytes: int
    saved_bytes: int  # of the base weights on disk
    cache_bytes: int  # of the keys and values of one token
    activations: Activations | None  # None: the model cannot run on the meta device

    def state_bytes(self) -> int:
        """Returns the bytes of the trained weights, their gradients, and AdamW's two moments."""
        return 4 * self.trained_bytes


def footprint(model: ModelConfig, lora: LoraConfig, precision: str) -> Footprint:
    """Returns the footprint of a training of `model` with the adapter `lora` (r=0: all weights are trained).

    `precision`: a value of trainer.precision. Raises ModelError if the model's configuration is not on this machine, or
    transformers has no such model.
    """
    config = _config(model)
    import torch

    from raft_exp.training.weights import trainable

    dtype = getattr(torch, model.dtype)
    with quiet(), explained(model.name_or_path, model.revision):
        base = _built(config, dtype)
        parameters = sum(weight.numel() for weight in base.parameters())
        saved, linear = parameters * dtype.itemsize, _linear(base)
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft's warnings; the training itself shows them
            trained = trainable(base, lora, precision, 0)
    learned = [weight for weight in trained.parameters() if weight.requires_grad]
    frozen = sum(weight.nbytes for weight in trained.parameters() if not weight.requires_grad)
    return Footprint(
        parameters=parameters,
        linear=linear,
        layers=int(config.get_text_config(decoder=True).num_hidden_layers),
        frozen_bytes=base_memory(model).bytes if model.quantize else frozen,
        trained=sum(weight.numel() for weight in learned),
        trained_bytes=sum(weight.nbytes for weight in learned),
        saved_bytes=saved,
        cache_bytes=_cache_bytes(config, dtype.itemsize),
        activations=_activations(trained, config, torch.float32 if precision == "32-true" else dtype),
    )


def _config(model: ModelConfig) -> "PretrainedConfig":
    """Returns the model's configuration. If it is not on this machine, raises ModelError with a command to fetch it."""
    place = resolve(model.name_or_path)
    if not Path(place).is_dir() and not _is_cached(place, model.revision):
        revision = f" --revision {model.revision}" if model.revision else ""
        raise ModelError(
            f"the configuration of {place} is not in the hub's local cache; fetch it (some kilobytes) with "
            f"`hf download {place} config.json{revision}`"
        )
    from transformers import AutoConfig

    with quiet(), explained(model.name_or_path, model.revision):
        config: PretrainedConfig = AutoConfig.from_pretrained(
            place, revision=model.revision, local_files_only=True, trust_remote_code=False
        )
    return config


def _is_cached(name: str, revision: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str)


def _built(config: "PretrainedConfig", dtype: object) -> "PreTrainedModel":
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)
    return model


def _linear(model: "PreTrainedModel") -> int:
    """Returns the number of weights in matrices, without embeddings and output layer.

    The output layer is left out, because it is computed for few tokens: supervised ones, or the last one of a prompt.
    """
    ends = [module.weight for module in (model.get_input_embeddings(), model.get_output_embeddings()) if module]
    return sum(
        weight.numel() for weight in model.parameters() if weight.dim() >= 2 and not any(weight is end for end in ends)
    )


def _cache_bytes(config: "PretrainedConfig", itemsize: int) -> int:
    """Returns the bytes of the key-value cache for one token, over all layers."""
    text = config.get_text_config(decoder=True)
    heads = int(text.num_attention_heads)
    size = getattr(text, "head_dim", None) or int(text.hidden_size) // heads
    keys = getattr(text, "num_key_value_heads", None) or heads
    return int(2 * int(text.num_hidden_layers) * int(keys) * int(size) * itemsize)


def _activations(model: "nn.Module", config: "PretrainedConfig", dtype: object) -> Activations | None:
    """Measures activations by forward passes on the meta device; None if the model cannot run there.

    The part that grows with the square of the length is subtracted: it is the attention matrix, which the attention
    kernels of training do not save.
    """
    import torch

    from raft_exp.training.layers import activation_bytes

    assert isinstance(dtype, torch.dtype)
    for weight in model.parameters():  # autocast computes in one dtype
        weight.data = weight.data.to(dtype)
    model.train()
    try:
        by_length = [activation_bytes(model, _batch(length, _SUPERVISED[0])) for length in _LENGTHS]
        more = activation_bytes(model, _batch(_LENGTHS[0], _SUPERVISED[1]))
    except (RuntimeError, NotImplementedError, TypeError, ValueError, AttributeError, KeyError, IndexError):
        return None
    step = _LENGTHS[1] - _LENGTHS[0]
    square = (by_length[2] - 2 * by_length[1] + by_length[0]) / (2 * step**2)
    a_token = (by_length[1] - by_length[0]) / step - square * (_LENGTHS[1] + _LENGTHS[0])
    text = config.get_text_config(decoder=True)
    layers, hidden = int(text.num_hidden_layers), int(text.hidden_size)
    supervised = (more - by_length[0]) / (_SUPERVISED[1] - _SUPERVISED[0])
    return Activations(a_token, supervised, layers * hidden * dtype.itemsize, a_token / layers)


def _batch(length: int, supervised: int) -> "Batch":
    """Returns a batch of one row on the meta device, with `length` tokens, `supervised` of them supervised.

    The attention mask has four dimensions, so that models use it as it is and do not read its values.
    """
    import torch

    with torch.device("meta"):
        return {
            "inputs": {
                "input_ids": torch.zeros((1, length), dtype=torch.int64),
                "attention_mask": torch.ones((1, 1, length, length), dtype=torch.bool),
            },
            "keep": torch.zeros(supervised, dtype=torch.int64),
            "targets": torch.zeros(supervised, dtype=torch.int64),
            "rows": 1,
        }
