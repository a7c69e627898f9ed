"""Compilation of a model's decoder layers, and the decision whether it pays (trainer.compile=auto)."""

import logging
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from raft_exp.core.errors import ModelError
from raft_exp.training import speed
from raft_exp.training.config import TrainerConfig
from raft_exp.training.layers import TrainingModule, layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

# Measured with a 3B model on an H200 (experiments/LOG.md)
SECONDS = 120.0  # assumed time of compilation: it took 60 to 90 s, and once more than 95 s
SPEEDUP = 1.25  # of a step
USED = 0.25  # share of the GPU's peak FLOP/s that a step without compiled layers uses
LONGER = SECONDS * SPEEDUP / (SPEEDUP - 1)  # compilation pays for trainings that take more seconds without it
_USUAL_PEAK = 300e12  # FLOP/s, for a GPU whose peak is unknown


def compile_layers(model: "PreTrainedModel") -> None:
    """Compiles the decoder layers, once for all of them (they have the same code) and for rows of all lengths."""
    # torch stops compiling a function after 8 versions. The trainings of a process need two each: with and without
    # gradients.
    torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
    for layer in layers(model):
        layer.compile(dynamic=True)
    # Otherwise the first layer is compiled separately, as its input has no gradient if the embeddings are frozen.
    model.get_input_embeddings().register_forward_hook(_with_gradient)


def _with_gradient(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
    if module.training and torch.is_grad_enabled() and not output.requires_grad:
        output.requires_grad_(True)
    return output


def wants_compilation(module: TrainingModule, config: TrainerConfig) -> bool:
    """Returns trainer.compile; for `auto`, whether compilation is possible and saves more time than it takes.

    The saved time follows from the whole plan, not from the steps that are left, so that a resumed training decides as
    it did before. Logs the decision on `auto` in one line. Raises ModelError for `true` without a working compiler.
    """
    if config.compile is False:
        return False
    if config.compile is True:
        if reason := compiler_error(module.device):
            raise ModelError(f"trainer.compile=true: cannot compile here ({reason}); use trainer.compile=false")
        return True
    if reason := _refused(module, config):
        log.info("layers are not compiled (trainer.compile=auto): %s", reason)
        return False
    return True


def _refused(module: TrainingModule, config: TrainerConfig) -> str:
    """Returns why `auto` does not compile the layers; "" if it compiles them, which is logged."""
    if module.device.type != "cuda":
        return "the training does not run on a CUDA GPU"
    if config.strategy == "fsdp":
        return "the weights are sharded"
    if any(hasattr(weight, "quant_state") for weight in module.model.parameters()):
        return "the base model is quantised"
    if any(weight.dim() == 3 for weight in module.model.parameters()):
        return "the model is a mixture of experts"
    peak = speed.peak(module.device) or _USUAL_PEAK
    seconds = expected_seconds(speed.operations(module.model, module.plan), peak * module.trainer.world_size)
    if seconds <= LONGER:
        return f"the training takes about {seconds:.0f} s without; compilation pays from about {LONGER:.0f} s on"
    if reason := compiler_error(module.device):
        return f"cannot compile here ({reason})"
    log.info(
        "layers are compiled (trainer.compile=auto): the training would take about %.0f min without; compilation takes "
        "about %.0f s",
        seconds / 60,
        SECONDS,
    )
    return ""


def expected_seconds(operations: float, peak: float) -> float:
    """Returns the seconds of `operations` without compiled layers. `peak`: FLOP/s of all GPUs together."""
    return operations / (USED * peak)


def compiler_error(device: torch.device) -> str:
    """Returns why torch.compile does not work on this machine, on one line; "" if it works. Compiles a small function.

    On a GPU, torch.compile needs Triton and a C compiler; on a CPU, a C++ compiler.
    """
    values = torch.ones(8, device=device, requires_grad=True)
    try:
        torch.compile(_probe, dynamic=True)(values).sum().backward()
    except Exception as error:  # each missing part raises an error of its own: torch's, Triton's, the system's
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
    return ""


def _probe(values: Tensor) -> Tensor:
    return torch.sin(values) * values
