"""What a killed training needs to go on: one safetensors file, replaced as a whole. No pickle.

Nothing random is in it: order and dropout follow from the seed and the step.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from raft_exp.training import tensors
from raft_exp.training.module import RaftModule

NAME = "checkpoint.safetensors"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # AdamW's state of one weight


def save(out: Path, module: RaftModule, optimizer: torch.optim.Optimizer) -> None:
    """Adapter, optimiser state and step; a kill at any moment leaves the old file or the new one."""
    kept = {}
    for name, weight in module.trainable().items():
        kept[f"weight/{name}"] = weight
        kept |= {f"{moment}/{name}": optimizer.state[weight][moment] for moment in _MOMENTS}
    state = {"step": module.step, "scaler": module.scaler.state_dict() if module.scaler else None}
    new = out / f"{NAME}.new"
    tensors.write(new, kept, {"state": json.dumps(state)})
    with new.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(new, out / NAME)


def step(out: Path) -> int:
    """The step that a checkpoint in `out` was taken after; 0 when there is none."""
    if not (out / NAME).exists():
        return 0
    with safe_open(out / NAME, framework="pt") as file:
        return int(json.loads(file.metadata()["state"])["step"])


def remove(out: Path) -> None:
    """Takes away the checkpoint, and one that was being written when a run was killed."""
    for name in (NAME, f"{NAME}.new"):
        (out / name).unlink(missing_ok=True)


def restore(out: Path, module: RaftModule, optimizer: torch.optim.Optimizer) -> None:
    """Puts a checkpoint's state back, on whatever device the module is."""
    with safe_open(out / NAME, framework="pt") as file:
        state = json.loads(file.metadata()["state"])
        moments: dict[int, Any] = {}
        for number, (name, weight) in enumerate(module.trainable().items()):
            weight.data.copy_(file.get_tensor(f"weight/{name}"))
            moments[number] = {moment: file.get_tensor(f"{moment}/{name}") for moment in _MOMENTS}
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    if module.scaler:
        module.scaler.load_state_dict(state["scaler"])
