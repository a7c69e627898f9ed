"""What a stopped training needs to go on: one safetensors file, replaced as a whole. No pickle.

Nothing random is in it: order and dropout follow from the seed and the step.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from raft_exp.training import sharding, tensors
from raft_exp.training.module import RaftModule

NAME = "checkpoint.safetensors"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # AdamW's state of one weight


def save(out: Path, module: RaftModule, optimizer: torch.optim.Optimizer, more: dict[str, Any]) -> None:
    """Weights, optimiser state, step and `more`; a kill at any moment leaves the old file or the new one.

    All processes call it: where the weights are sharded, each has a part.
    """
    kept = {}
    for name, weight in module.trainable().items():
        kept[f"weight/{name}"] = sharding.whole(weight)
        kept |= {f"{moment}/{name}": sharding.whole(optimizer.state[weight][moment]) for moment in _MOMENTS}
    if not module.trainer.is_global_zero:
        return
    scaler = module.scaler.state_dict() if module.scaler else None
    _replace(out / NAME, kept, {"step": module.step, "scaler": scaler, "more": more})


def save_weights(path: Path, module: RaftModule) -> None:
    """The trained weights alone. All processes call it."""
    kept = {name: sharding.whole(weight) for name, weight in module.trainable().items()}
    if module.trainer.is_global_zero:
        _replace(path, kept, {})


def _replace(path: Path, kept: dict[str, Any], state: dict[str, Any]) -> None:
    new = path.with_name(f"{path.name}.new")
    tensors.write(new, kept, {"state": json.dumps(state)})
    with new.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(new, path)


def _state(out: Path) -> dict[str, Any]:
    with safe_open(out / NAME, framework="pt") as file:
        state: dict[str, Any] = json.loads(file.metadata()["state"])
        return state


def step(out: Path) -> int:
    """The step that a checkpoint in `out` was taken after; 0 when there is none."""
    return int(_state(out)["step"]) if (out / NAME).exists() else 0


def remove(out: Path) -> None:
    """Takes away the checkpoint, and one that was being written when a run was killed."""
    for name in (NAME, f"{NAME}.new"):
        (out / name).unlink(missing_ok=True)


def restore(out: Path, module: RaftModule, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Puts a checkpoint's state back, on whatever devices the module is. Returns what was saved as `more`."""
    state = _state(out)
    with safe_open(out / NAME, framework="pt") as file:
        moments: dict[int, Any] = {}
        for number, (name, weight) in enumerate(module.trainable().items()):
            weight.data.copy_(sharding.like(file.get_tensor(f"weight/{name}"), weight))
            found = {moment: file.get_tensor(f"{moment}/{name}") for moment in _MOMENTS}
            moments[number] = {
                moment: sharding.like(value, weight) if value.dim() else value for moment, value in found.items()
            }
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    if module.scaler:
        module.scaler.load_state_dict(state["scaler"])
    more: dict[str, Any] = state["more"]
    return more
