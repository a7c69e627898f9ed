"""An adapter merged into its base model: a folder that any tool loads as a model of its own."""

import dataclasses
from pathlib import Path
from typing import Any

from raft_exp.models import loading as models
from raft_exp.models.loading import ModelConfig


def merge(config: ModelConfig, adapter: Path, folder: Path) -> None:
    """Writes the merged model as safetensors."""
    base = models.load(dataclasses.replace(config, dtype="float32"))
    with models.quiet():
        merged(models.with_adapter(base, adapter), config.dtype).save_pretrained(folder)
        models.load_tokenizer(config.name_or_path, config.revision).save_pretrained(folder)


def merged(model: Any, dtype: str) -> Any:
    """A model that was loaded in fp32, its adapter (if it has one) added to its weights, and only then cast: bf16 has
    too few digits to add a small change to a large weight.
    """
    import torch

    whole = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    return whole.to(getattr(torch, dtype))
