"""An adapter merged into its base model: a folder that any tool loads as a model of its own."""

import dataclasses
from pathlib import Path

from raft_exp import models
from raft_exp.models import ModelConfig


def merge(config: ModelConfig, adapter: Path, folder: Path) -> None:
    """Writes the merged model as safetensors. The sum is made in fp32 and only then cast to `model.dtype`: bf16 has
    too few digits to add a small change to a large weight.
    """
    import torch

    base = models.load(dataclasses.replace(config, dtype="float32"))
    merged = models.with_adapter(base, adapter).merge_and_unload().to(getattr(torch, config.dtype))
    with models.quiet():
        merged.save_pretrained(folder)
        models.load_tokenizer(config.name_or_path, config.revision).save_pretrained(folder)
