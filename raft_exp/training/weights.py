"""The trainable weights of a model, and the folder into which they are written.

The folder holds a LoRA adapter in PEFT's format, which other tools such as vLLM can read. With lora=full it holds a
whole model in transformers' format.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from raft_exp.core.errors import ModelError
from raft_exp.models.loading import ModelConfig, tokenizer_of
from raft_exp.models.trained_weights import ADAPTER, WHOLE_MODEL
from raft_exp.training import tensors
from raft_exp.training.config import LoraConfig

if TYPE_CHECKING:
    from peft import PeftModel
    from peft.tuners.lora.layer import LoraLayer
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)


def trainable(model: "PreTrainedModel", config: LoraConfig, precision: str, seed: int) -> "PreTrainedModel | PeftModel":
    """Returns the model with a new LoRA adapter; with r=0, the model with all its weights trainable."""
    if config.r:
        return add_adapter(model, config, seed, mixed=precision.endswith("-mixed"))
    # Mixed precision keeps float32 weights: a 16-bit weight would lose updates smaller than its last bit.
    return model.requires_grad_(True) if precision.endswith("-true") else model.float().requires_grad_(True)


def add_adapter(model: "PreTrainedModel", config: LoraConfig, seed: int, mixed: bool = False) -> "PeftModel":
    """Returns the model with frozen base weights and a new float32 adapter.

    `mixed`: whether training uses autocast, which casts the adapter's weights; the adapter's inputs stay in 16 bits.
    Raises ModelError for target modules that the model does not have.
    """
    import peft

    from raft_exp.training import adapter

    towers = _towers(model)
    # peft refuses dropout for the stacked weights [experts, out, in] of a mixture of experts.
    stacked = any(weight.dim() == 3 for weight in model.parameters())
    settings = peft.LoraConfig(
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=0.0 if stacked else config.dropout,
        target_modules=config.target_modules if isinstance(config.target_modules, str) else list(config.target_modules),
        exclude_modules=rf"(.*\.)?({'|'.join(towers)})\..*" if towers else None,
        use_rslora=config.rslora,
        use_dora=config.dora,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            adapted: PeftModel = peft.get_peft_model(model, settings, autocast_adapter_dtype=True)
        except ValueError as error:  # target modules that the model does not have
            raise ModelError(f"lora.target_modules={config.target_modules!r}: {str(error).splitlines()[0]}") from error
    if stacked and config.dropout:
        _add_dropout(adapted, config.dropout)
    if mixed:
        for layer in _adapter_layers(adapted):
            layer.cast_input_dtype_enabled = False  # peft would convert activations to float32, and autocast back
    adapter.use_lean_layers(adapted)
    return adapted


def _adapter_layers(model: "PeftModel") -> "list[LoraLayer]":
    from peft.tuners.lora.layer import LoraLayer

    return [module for module in model.modules() if isinstance(module, LoraLayer)]


def _add_dropout(model: "PeftModel", dropout: float) -> None:
    """Adds dropout before the adapter's linear layers. Adapters of stacked expert weights get no dropout."""
    from peft.tuners.lora.layer import ParamWrapper

    experts = False
    for layer in _adapter_layers(model):
        if isinstance(layer, ParamWrapper):
            experts = True
        else:
            layer.lora_dropout["default"] = nn.Dropout(dropout)
    if experts:
        log.warning("lora.dropout=%g: not applied to adapters of stacked expert weights (mixture of experts)", dropout)
    else:
        model.peft_config["default"].lora_dropout = dropout


def _towers(model: "PreTrainedModel") -> list[str]:
    """Returns the names of a multimodal model's other modules, such as its image encoder; [] for text models.

    These modules get no adapter, because their weights get no gradient from text.
    """
    decoder, children = model.get_decoder(), dict(model.base_model.named_children())
    if not any(module is decoder for module in children.values()):
        return []
    return [name for name, module in children.items() if module is not decoder]


def weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Returns the trainable weights by name, in a fixed order."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def save(model: "PreTrainedModel | PeftModel", learned: Mapping[str, Tensor], config: ModelConfig, out: Path) -> None:
    """Writes `adapter/` or `model/` into `out`. `learned`: the values of the trainable weights by name.

    Raises OSError if a file cannot be written.
    """
    if hasattr(model, "peft_config"):
        _save_adapter(model, learned, config, out / ADAPTER)
    else:
        _save_whole(model, learned, config, out / WHOLE_MODEL)


def _save_adapter(model: "PeftModel", learned: Mapping[str, Tensor], config: ModelConfig, folder: Path) -> None:
    """Writes the adapter. The bytes depend only on its weights and settings.

    PEFT's `save_pretrained` is not used: it writes the base model's local path and an unordered list of target modules,
    and requests the base model's vocabulary from the hub.
    """
    import peft

    folder.mkdir(parents=True, exist_ok=True)
    state = peft.get_peft_model_state_dict(model, state_dict=dict(learned), save_embedding_layers=False)
    tensors.write(folder / "adapter_model.safetensors", state, {"format": "pt"})
    settings = model.peft_config["default"].to_dict()
    settings |= {"base_model_name_or_path": config.name_or_path, "revision": config.revision, "inference_mode": True}
    text = json.dumps(settings, indent=2, sort_keys=True, default=sorted)  # writes sets (target_modules) as lists
    (folder / "adapter_config.json").write_text(text + "\n", encoding="utf-8")


def _save_whole(model: "PreTrainedModel", learned: Mapping[str, Tensor], config: ModelConfig, folder: Path) -> None:
    """Writes the model, with weights in the dtype of the base model, and the tokenizer."""
    dtype = getattr(torch, config.dtype)
    persistent = model.state_dict().keys()
    state = {name: value.cpu() for name, value in model.named_buffers() if name in persistent}
    state |= {name: value.detach().to("cpu", dtype) for name, value in learned.items()}
    try:
        model.save_pretrained(folder, state_dict=state)
    except RuntimeError as error:  # safetensors wraps errors of the operating system
        raise OSError(None, str(error), str(folder)) from error
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"dtype": config.dtype}
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    tokenizer_of(config).save_pretrained(folder)
