"""What can be done with a model's layers: compile them, or compute their activations twice instead of keeping them."""

import logging
from typing import Any

import torch
from torch import Tensor, nn

from raft_exp.training.config import TrainerConfig
from raft_exp.training.data import collate
from raft_exp.training.loss import token_losses

log = logging.getLogger(__name__)

_SAFE = 0.8  # of the free memory: kernels have scratch space, and the allocator's pieces do not all fit


def layers(model: nn.Module) -> list[nn.Module]:
    """The decoder layers: transformers derives them all from one class."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


def compile_layers(model: nn.Module) -> None:
    """Each layer by itself, and once for all lengths: they have one code, so one compilation serves them all."""
    for layer in layers(model):
        layer.compile(dynamic=True)


def checkpoint_activations(model: Any) -> None:
    """Keeps each layer's input alone, and computes the rest again when the gradient comes by. The same numbers."""
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def wants_checkpointing(module: Any, config: TrainerConfig) -> bool:
    """As configured; `auto` asks whether the largest micro-batch's activations fit into what the GPU has left."""
    if config.activation_checkpointing != "auto":
        return config.activation_checkpointing
    if module.device.type != "cuda":
        return False
    wanted = torch.tensor(float(_too_large(module, config.packing)), device=module.device)
    return bool(module.trainer.strategy.reduce(wanted, reduce_op="sum"))  # where weights are shared out, all or none


def _too_large(module: Any, packing: bool) -> bool:
    lengths = module.plan.rows.lengths
    parts = [numbers for _, numbers in module.micro_batches() if numbers]
    most = max((int(lengths[numbers].sum()) for numbers in parts), default=0)
    small: list[int] = min(parts[:1000], key=lambda numbers: int(lengths[numbers].sum()), default=[])
    with module.trainer.precision_plugin.train_step_context():
        kept = activation_bytes(module.model, _on_device(module, small, packing))
    a_token = kept / max(1, int(lengths[small].sum()))
    state = sum(12 * weight.numel() for weight in module.trainable().values())  # gradient and AdamW's moments
    free = torch.cuda.mem_get_info(module.device)[0] - state
    if a_token * most <= _SAFE * free:
        return False
    log.warning(
        "activations of %d tokens need about %.0f GiB and %.0f GiB are free: they are computed again instead of kept "
        "(trainer.activation_checkpointing); more trainer.accumulate would be faster",
        most,
        a_token * most / 2**30,
        free / 2**30,
    )
    return True


def _on_device(module: Any, numbers: list[int], packing: bool) -> dict[str, Any]:
    batch: dict[str, Any] = module.trainer.strategy.batch_to_device(
        collate(module.plan.rows, numbers, packing), module.device
    )
    return batch


def activation_bytes(model: nn.Module, batch: dict[str, Any]) -> int:
    """What a forward pass keeps for the backward, without the weights."""
    weights = {weight.untyped_storage().data_ptr() for weight in [*model.parameters(), *model.buffers()]}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = token_losses(model, batch)
    del losses
    return sum(kept.values())
