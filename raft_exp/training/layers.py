"""The decoder layers of a model, and activation checkpointing of these layers."""

import logging
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from raft_exp.training.config import TrainerConfig
from raft_exp.training.data import Batch, MicroBatches, TrainingPlan, collate
from raft_exp.training.loss import token_losses

if TYPE_CHECKING:
    import pytorch_lightning as lightning
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

_SAFE = 0.8  # share of the free memory for activations: kernels need scratch space, and the allocator fragments


class TrainingModule(Protocol):
    """The interface of `module.RaftModule` that the functions of this file use."""

    model: "PreTrainedModel"
    plan: TrainingPlan

    @property
    def device(self) -> torch.device:
        """The device of this process."""

    @property
    def trainer(self) -> "lightning.Trainer":
        """The Lightning trainer of the module."""

    def micro_batches(self) -> MicroBatches:
        """Returns the micro-batches of this process."""

    def trainable(self) -> dict[str, nn.Parameter]:
        """Returns the trained weights by name."""


def layers(model: nn.Module) -> list[nn.Module]:
    """Returns the decoder layers. In transformers, the layers of all models have one base class."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


def checkpoint_activations(model: "PreTrainedModel") -> None:
    """Stores only the input of each layer and recomputes activations in the backward pass, with equal results."""
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def wants_checkpointing(module: TrainingModule, config: TrainerConfig) -> bool:
    """Returns trainer.activation_checkpointing; for `auto`, whether activations would exceed the GPU's free memory.

    Compares the activations of the largest micro-batch with 80% of the free memory. Without a GPU, `auto` means False.
    """
    if config.activation_checkpointing != "auto":
        return config.activation_checkpointing
    if module.device.type != "cuda":
        return False
    too_large = torch.tensor(float(_too_large(module, config.packs())), device=module.device)
    return bool(module.trainer.strategy.reduce(too_large, reduce_op="sum"))  # one decision for all processes


def _too_large(module: TrainingModule, packing: bool) -> bool:
    lengths = module.plan.rows.lengths
    parts = [numbers for _, numbers in module.micro_batches() if numbers]
    most = max((int(lengths[numbers].sum()) for numbers in parts), default=0)
    small: list[int] = min(parts[:1000], key=lambda numbers: int(lengths[numbers].sum()), default=[])
    with module.trainer.precision_plugin.train_step_context():
        saved = activation_bytes(module.model, _on_device(module, small, packing))
    bytes_a_token = saved / max(1, int(lengths[small].sum()))
    state = sum(12 * weight.numel() for weight in module.trainable().values())  # gradient and AdamW's moments
    cached = torch.cuda.memory_reserved(module.device) - torch.cuda.memory_allocated(module.device)
    free = torch.cuda.mem_get_info(module.device)[0] + cached - state
    if bytes_a_token * most <= _SAFE * free:
        return False
    log.warning(
        "activations of %d tokens need about %.0f GiB, but %.0f GiB can be used: they are recomputed in the "
        "backward pass (trainer.activation_checkpointing); a larger trainer.accumulate needs less memory and is faster",
        most,
        bytes_a_token * most / 2**30,
        _SAFE * free / 2**30,
    )
    return True


def _on_device(module: TrainingModule, numbers: list[int], packing: bool) -> Batch:
    batch: Batch = module.trainer.strategy.batch_to_device(collate(module.plan.rows, numbers, packing), module.device)
    return batch


def activation_bytes(model: nn.Module, batch: Batch) -> int:
    """Returns the bytes that a forward pass saves for the backward pass. The weights are not counted."""
    # Storages by their addresses. The references keep them alive: FSDP frees gathered weights, and torch would give a
    # new tensor the same address.
    weights: dict[int, torch.UntypedStorage] = {}
    saved: dict[int, tuple[torch.UntypedStorage, int]] = {}

    def record_weights(module: nn.Module, *_: object) -> None:
        for tensor in [*module.parameters(), *module.buffers()]:
            storage = _local(tensor).untyped_storage()
            weights[storage._cdata] = storage

    def pack(tensor: Tensor) -> None:
        # Returns None. To return the tensor would make a cycle with its graph, which is never freed.
        storage = _local(tensor).untyped_storage()
        saved.setdefault(storage._cdata, (storage, storage.nbytes()))

    record_weights(model)
    sharded = any(_local(weight) is not weight for weight in model.parameters())
    # FSDP gathers the full weights of a layer in a hook, which runs before these hooks. They record those of inner
    # modules too, because a lean LoRA layer does not call its inner modules.
    hooks = [module.register_forward_pre_hook(record_weights) for module in model.modules() if sharded]
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, _no_backward):
            token_losses(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return sum(size for key, (_, size) in saved.items() if key not in weights)


def _no_backward(_: object) -> Tensor:
    raise RuntimeError("activation_bytes saves no tensors, so a backward pass is not possible")


def _local(tensor: Tensor) -> Tensor:
    """Returns the part of a sharded tensor (DTensor) on this process; other tensors unchanged."""
    from torch.distributed.tensor import DTensor

    if not isinstance(tensor, DTensor):
        return tensor
    with torch.no_grad():
        local: Tensor = tensor.to_local()
        return local
