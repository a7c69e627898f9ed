"""Sharding for trainer.strategy=fsdp: each process stores a part of every weight (torch's fully_shard, FSDP2)."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


def shard(model: nn.Module, mesh: "DeviceMesh", dtype: torch.dtype | None) -> None:
    """Shards each decoder layer, then the other weights.

    `dtype`: data type of the computation; None: the data type of the weights.
    """
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    from raft_exp.training.layers import layers

    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    for layer in layers(model):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    # Resharding after each forward: a checkpoint after a validation pass expects sharded weights.
    fully_shard(model, mesh=mesh, mp_policy=policy, reshard_after_forward=True)


def whole(tensor: Tensor) -> Tensor:
    """Returns the full tensor, gathered from all processes. All processes must call this function."""
    full: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return full


def like(value: Tensor, weight: Tensor) -> Tensor:
    """Shards a full tensor like `weight`; returns it unchanged where `weight` is not sharded."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(weight, DTensor):
        return value
    return distribute_tensor(value.to(weight.device), weight.device_mesh, weight.placements)
