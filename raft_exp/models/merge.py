"""Merges a LoRA adapter into its base model, so that other tools can load the result as an ordinary model."""

from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.models import loading
from raft_exp.models.loading import ModelConfig

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def merge(config: ModelConfig, adapter: Path | None, folder: Path) -> None:
    """Writes the merged model (safetensors, in `config.dtype`) and its tokenizer to `folder`.

    Dequantises a quantised base model. Without an adapter, writes the base model alone. Raises ModelError if the model
    or the adapter cannot be loaded.
    """
    base = loading.load_to_merge(config)
    with loading.quiet():
        model = base if adapter is None else loading.with_adapter(base, adapter)
        merged(model, config.dtype).save_pretrained(folder)
        loading.tokenizer_of(config).save_pretrained(folder)


def merged(model: "PreTrainedModel | PeftModel", dtype: str) -> "PreTrainedModel":
    """Adds the adapter of a model, if there is one, to the model's weights. Returns the model in `dtype`.

    `model` must be in float32, as `loading.load_to_merge` returns it.
    """
    import torch

    whole: PreTrainedModel = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    return whole.to(getattr(torch, dtype))
