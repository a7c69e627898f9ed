"""Speed of training: tokens per second without padding, model FLOPs utilisation (MFU), and peak memory."""

import resource
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from raft_exp.models.quantization import elements
from raft_exp.training.data import TrainingPlan

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from raft_exp.training.layers import TrainingModule

# Peak FLOP/s of dense 16-bit tensor operations, from the vendor's data sheets; longer names first.
_PEAKS = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "GH200": 989e12,
    "A100": 312e12,
    "A10G": 70e12,
    "A10": 125e12,
    "L40S": 362e12,
    "L40": 181e12,
    "L4": 121e12,
    "A40": 150e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
    "V100": 125e12,
    "T4": 65e12,
}


class SpeedMeter:
    """Measures the duration and speed of optimiser steps. Padding does not count as tokens."""

    def __init__(self, module: "TrainingModule") -> None:
        self._plan, self._device = module.plan, module.device
        self._cost = StepCost.of(module.model)
        self._peak = peak(self._device) * module.trainer.world_size
        self._clock = time.perf_counter()

    def step(self, step: int) -> dict[str, float]:
        """Returns the figures of the step that ends now; `step`: the index of this step in the plan, from 0.

        `seconds` is the time since the previous step or `restart`. `peak_gib`: peak memory in GiB, of torch on the GPU,
        or of this process on a CPU. `mfu` is present only for GPUs with a known peak.
        """
        now = time.perf_counter()
        seconds, self._clock = now - self._clock, now
        tokens = self._plan.tokens(step)
        figures = {"seconds": seconds, "tokens": tokens, "tokens_per_second": tokens / seconds}
        if self._peak:
            figures["mfu"] = self._cost(self._plan, step) / seconds / self._peak
        return figures | {"peak_gib": self._memory()}

    def restart(self) -> None:
        """Starts the clock of the next step, so that validation and checkpoints do not count."""
        self._clock = time.perf_counter()

    def _memory(self) -> float:
        if self._device.type == "cuda":
            return float(torch.cuda.max_memory_allocated(self._device)) / 2**30
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def peak(device: torch.device) -> float:
    """Returns the peak FLOP/s of a GPU in 16 bits; 0 for an unknown GPU and for a CPU."""
    if device.type != "cuda":
        return 0.0
    name = torch.cuda.get_device_name(device)
    return next((value for known, value in _PEAKS.items() if known in name), 0.0)


class StepCost:
    """The number of floating-point operations (FLOPs) of an optimiser step, without recomputed activations.

    Per token, a weight costs two FLOPs in the forward pass and two for the gradient of its input. A trained weight
    costs two more for its own gradient. The language-model head counts supervised tokens only. Causal attention over n
    tokens costs 6 n² · heads · head size per layer, half of full attention.
    """

    def __init__(self, linear: float, head: float, attention: float) -> None:
        self._linear, self._head, self._attention = linear, head, attention

    @classmethod
    def of(cls, model: "PreTrainedModel") -> "StepCost":
        """Counts the cost of a model from the sizes of its weight matrices."""
        config, head = model.config.get_text_config(), model.get_output_embeddings()
        embeddings = {id(model.get_input_embeddings().weight), id(head.weight)}
        matrices = [weight for weight in model.parameters() if weight.dim() == 2 and id(weight) not in embeddings]
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        attention = 6.0 * config.num_hidden_layers * config.num_attention_heads * size
        return cls(sum(map(_operations_a_token, matrices)), _operations_a_token(head.weight), attention)

    def __call__(self, plan: TrainingPlan, step: int) -> float:
        """Returns the FLOPs of one step of the plan, over all processes."""
        lengths = plan.rows.lengths[plan.steps[step]].astype(float)
        return float(
            self._linear * lengths.sum() + self._head * plan.supervised(step) + self._attention * (lengths**2).sum()
        )


def operations(model: "PreTrainedModel", plan: TrainingPlan) -> float:
    """Returns the FLOPs of all steps of the plan."""
    everything = [number for step in plan.steps for number in step]
    return StepCost.of(model)(TrainingPlan(plan.rows, [everything]), 0)


def _operations_a_token(weight: torch.nn.Parameter) -> float:
    return float((6 if weight.requires_grad else 4) * elements(weight))


def line(figures: Mapping[str, float]) -> dict[str, str]:
    """Formats figures for timings.csv: six significant digits."""
    return {name: f"{value:.6g}" for name, value in figures.items()}
