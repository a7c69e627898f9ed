"""The state of a stopped training: one safetensors file, replaced atomically. No pickle.

It holds no random state: the order of rows and dropout follow from the seed and the step.
"""

import json
import os
from pathlib import Path
from typing import TypedDict

import torch
from safetensors import safe_open
from torch import Tensor

from raft_exp.training import sharding, tensors
from raft_exp.training.module import RaftModule

NAME = "checkpoint.safetensors"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # AdamW's state of one weight


class BestState(TypedDict):
    """What a checkpoint holds of the search for the best weights."""

    loss: float | None  # None before the first validation pass
    step: int
    waited: int  # validation passes since the best one


def save(out: Path, module: RaftModule, optimizer: torch.optim.Optimizer, best: BestState) -> None:
    """Writes weights, optimiser state, step and `best`; a kill at any moment leaves the old file or the new one.

    All processes call it: where the weights are sharded, each holds a part.
    """
    state = {}
    for name, weight in module.trainable().items():
        state[f"weight/{name}"] = sharding.whole(weight)
        state |= {f"{moment}/{name}": sharding.whole(optimizer.state[weight][moment]) for moment in _MOMENTS}
    if not module.trainer.is_global_zero:
        return
    scaler = module.scaler.state_dict() if module.scaler else None
    _replace(out / NAME, state, {"step": module.step, "scaler": scaler, "more": best})


def save_weights(path: Path, module: RaftModule) -> None:
    """Writes the trained weights alone. All processes call it."""
    weights = {name: sharding.whole(weight) for name, weight in module.trainable().items()}
    if module.trainer.is_global_zero:
        _replace(path, weights, {})


def _replace(path: Path, state: dict[str, Tensor], metadata: dict[str, object]) -> None:
    new = path.with_name(f"{path.name}.new")
    tensors.write(new, state, {"state": json.dumps(metadata)})
    with new.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(new, path)


def step(out: Path) -> int:
    """The step after which the checkpoint in `out` was taken; 0 without a checkpoint."""
    if not (out / NAME).exists():
        return 0
    with safe_open(out / NAME, framework="pt") as file:
        return int(json.loads(file.metadata()["state"])["step"])


def remove(out: Path) -> None:
    """Deletes the checkpoint, and one that a killed run left half written."""
    for name in (NAME, f"{NAME}.new"):
        (out / name).unlink(missing_ok=True)


def restore(out: Path, module: RaftModule, optimizer: torch.optim.Optimizer) -> BestState:
    """Restores weights and optimiser on the module's devices. Returns the `best` that was saved."""
    with safe_open(out / NAME, framework="pt") as file:
        metadata = json.loads(file.metadata()["state"])
        states: dict[int, dict[str, Tensor]] = {}
        for number, (name, weight) in enumerate(module.trainable().items()):
            weight.data.copy_(sharding.like(file.get_tensor(f"weight/{name}"), weight))
            moments = {moment: file.get_tensor(f"{moment}/{name}") for moment in _MOMENTS}
            states[number] = {
                moment: sharding.like(value, weight) if value.dim() else value for moment, value in moments.items()
            }
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    if module.scaler:
        module.scaler.load_state_dict(metadata["scaler"])
    best: BestState = metadata["more"]
    return best
