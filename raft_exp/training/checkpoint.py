"""The checkpoint of a training: one safetensors file (no pickle), replaced atomically.

It contains no random state: the order of rows and the dropout masks are computed from the seed and the step.
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
    """The part of a checkpoint about the lowest validation loss so far."""

    loss: float | None  # None before the first validation pass
    step: int  # step of the lowest loss
    waited: int  # validation passes since then


def save(out: Path, module: RaftModule, optimizer: torch.optim.Optimizer, best: BestState) -> None:
    """Writes weights, optimiser state, loss scaler, step and `best` into a file in `out`.

    A kill at any moment leaves a complete file, old or new.

    With sharded weights all processes must call this function, because each has a part of the weights.
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
    """Writes the trained weights without the optimiser's state. All processes must call this function."""
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
    """Returns the number of finished steps of the checkpoint in `out`; 0 without a checkpoint."""
    if not (out / NAME).exists():
        return 0
    with safe_open(out / NAME, framework="pt") as file:
        return int(json.loads(file.metadata()["state"])["step"])


def remove(out: Path) -> None:
    """Deletes the checkpoint, and the incomplete checkpoint of a killed run."""
    for name in (NAME, f"{NAME}.new"):
        (out / name).unlink(missing_ok=True)


def restore(out: Path, module: RaftModule, optimizer: torch.optim.Optimizer) -> BestState:
    """Loads weights, optimiser state and loss scaler from the checkpoint in `out` into `module` and `optimizer`.

    Returns the BestState of the checkpoint.
    """
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
