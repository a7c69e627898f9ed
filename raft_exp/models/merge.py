"""Merges a LoRA adapter into its base model, which other tools then load as an ordinary model."""

from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.models import loading
from raft_exp.models.loading import ModelConfig

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def merge(config: ModelConfig, adapter: Path | None, folder: Path) -> None:
    """Writes the merged model (safetensors, in the dtype of `config`) and its tokenizer to `folder`.

    A quantised base is dequantised; without an adapter, that alone is written.
    """
    base = loading.load_to_merge(config)
    with loading.quiet():
        model = base if adapter is None else loading.with_adapter(base, adapter)
        merged(model, config.dtype).save_pretrained(folder)
        loading.tokenizer_of(config).save_pretrained(folder)


def merged(model: "PreTrainedModel | PeftModel", dtype: str) -> "PreTrainedModel":
    """The model with its adapter (if it has one) added to its weights, then cast to `dtype`.

    Load `model` with `loading.load_to_merge`, in float32.
    """
    import torch

    whole: PreTrainedModel = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    return whole.to(getattr(torch, dtype))
