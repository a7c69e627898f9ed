"""Writes an adapter as the folder that PEFT, vLLM and others read."""

import json
from pathlib import Path
from typing import Any

from raft_exp.models import ModelConfig
from raft_exp.training import tensors


def save(model: Any, config: ModelConfig, folder: Path) -> None:
    """Writes adapter_model.safetensors and adapter_config.json: the same adapter gives the same bytes anywhere.

    PEFT's own `save_pretrained` would write this machine's path of the base model, the target modules in the
    order of a set, and ask the hub about the base model's vocabulary.
    """
    import peft

    folder.mkdir(parents=True, exist_ok=True)
    weights = peft.get_peft_model_state_dict(model, save_embedding_layers=False)
    tensors.write(folder / "adapter_model.safetensors", weights, {"format": "pt"})
    settings = model.peft_config["default"].to_dict()
    settings |= {"base_model_name_or_path": config.name_or_path, "revision": config.revision, "inference_mode": True}
    text = json.dumps(settings, indent=2, sort_keys=True, default=sorted)  # sets, such as target_modules
    (folder / "adapter_config.json").write_text(text + "\n", encoding="utf-8")
