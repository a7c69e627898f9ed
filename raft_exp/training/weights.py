"""Which weights of a model are trained, and the folder that they are written to.

A LoRA adapter as PEFT, vLLM and others read it; with lora=full the whole model as transformers reads it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from raft_exp.core.errors import ModelError
from raft_exp.models.loading import ModelConfig
from raft_exp.models.trained_weights import ADAPTER, WHOLE_MODEL
from raft_exp.training import tensors
from raft_exp.training.config import LoraConfig


def trainable(model: Any, config: LoraConfig, precision: str, seed: int) -> Any:
    """The model with a fresh adapter, or with all its weights trainable where there is none to be."""
    if config.r:
        return add_adapter(model, config, seed)
    # Steps smaller than a 16-bit weight's last bit would be lost: mixed precision keeps weights of 32 bits.
    return model.requires_grad_(True) if precision.endswith("-true") else model.float().requires_grad_(True)


def add_adapter(model: Any, config: LoraConfig, seed: int) -> Any:
    """The model with a fresh adapter: only the adapter is trainable, and it is float32 beside a 16-bit base."""
    import peft

    settings = peft.LoraConfig(
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=config.target_modules if isinstance(config.target_modules, str) else list(config.target_modules),
        use_rslora=config.rslora,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            return peft.get_peft_model(model, settings, autocast_adapter_dtype=True)
        except ValueError as error:  # peft's words for target modules that the model does not have
            raise ModelError(f"lora.target_modules={config.target_modules!r}: {str(error).splitlines()[0]}") from error


def weights(model: Any) -> dict[str, torch.nn.Parameter]:
    """The trainable weights by name, in a fixed order."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def save(model: Any, learned: Mapping[str, Any], config: ModelConfig, out: Path) -> None:
    """Writes `adapter/` or `model/` into `out`, with the values `learned` of the trainable weights."""
    if hasattr(model, "peft_config"):
        _save_adapter(model, learned, config, out / ADAPTER)
    else:
        _save_whole(model, learned, config, out / WHOLE_MODEL)


def _save_adapter(model: Any, learned: Mapping[str, Any], config: ModelConfig, folder: Path) -> None:
    """The same adapter gives the same bytes anywhere.

    PEFT's own `save_pretrained` would write this machine's path of the base model, the target modules in the
    order of a set, and ask the hub about the base model's vocabulary.
    """
    import peft

    folder.mkdir(parents=True, exist_ok=True)
    kept = peft.get_peft_model_state_dict(model, state_dict=dict(learned), save_embedding_layers=False)
    tensors.write(folder / "adapter_model.safetensors", kept, {"format": "pt"})
    settings = model.peft_config["default"].to_dict()
    settings |= {"base_model_name_or_path": config.name_or_path, "revision": config.revision, "inference_mode": True}
    text = json.dumps(settings, indent=2, sort_keys=True, default=sorted)  # sets, such as target_modules
    (folder / "adapter_config.json").write_text(text + "\n", encoding="utf-8")


def _save_whole(model: Any, learned: Mapping[str, Any], config: ModelConfig, folder: Path) -> None:
    """In the type that the base model has, so that it is loaded in the same way."""
    from raft_exp.models import loading as models

    dtype = getattr(torch, config.dtype)
    kept = model.state_dict().keys()
    state = {name: value.cpu() for name, value in model.named_buffers() if name in kept}
    state |= {name: value.detach().to("cpu", dtype) for name, value in learned.items()}
    try:
        model.save_pretrained(folder, state_dict=state)
    except RuntimeError as error:  # safetensors' own type, also for what the operating system refused
        raise OSError(None, str(error), str(folder)) from error
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"dtype": config.dtype}
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    models.load_tokenizer(config.name_or_path, config.revision).save_pretrained(folder)
