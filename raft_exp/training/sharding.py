"""Weights in parts: with trainer.strategy=fsdp every process holds a share of each (torch's fully_shard, FSDP2)."""

from typing import Any

import torch
from torch import Tensor


def shard(model: Any, mesh: Any, dtype: torch.dtype | None) -> None:
    """Shares out each decoder layer, then the rest. `dtype` is what is computed in; None: what the weights have."""
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    from raft_exp.training.layers import layers

    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    for layer in layers(model):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    # the rest too gives its parts back after each forward: what is saved behind a validation pass is in parts again
    fully_shard(model, mesh=mesh, mp_policy=policy, reshard_after_forward=True)


def whole(tensor: Tensor) -> Tensor:
    """The tensor with the parts of all processes; all of them call it."""
    full: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return full


def like(value: Tensor, weight: Tensor) -> Tensor:
    """A whole value in the parts that the weight is in."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(weight, DTensor):
        return value
    return distribute_tensor(value.to(weight.device), weight.device_mesh, weight.placements)
