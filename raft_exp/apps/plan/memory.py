"""Estimates the memory that a device needs to train, and to answer the test questions."""

from raft_exp.apps.plan.devices import Device
from raft_exp.apps.plan.figures import Figure
from raft_exp.apps.plan.footprint import Footprint
from raft_exp.apps.plan.study import PlannedStudy
from raft_exp.apps.plan.tokens import RowTokens
from raft_exp.engines import TransformersEngine, VllmEngine
from raft_exp.pipeline.trainings import Training
from raft_exp.training.config import TrainerConfig

_ENOUGH = 2048  # tokens of a micro-batch with trainer.accumulate=auto (raft_exp.training.data.ENOUGH)


def training_memory(
    training: Training, footprint: Footprint, tokens: RowTokens, device: Device, processes: int
) -> list[Figure]:
    """Returns the memory of one device in a training: weights, optimizer, activations, and their sum.

    If the activations are unknown, they and the sum are left out. `tokens`: lengths of the training rows. `processes`:
    number of training processes.
    """
    name, trainer = f"train[{training.label}]", training.trainer
    shards = processes if trainer.strategy == "fsdp" else 1
    shared = f", in {shards} parts (fsdp)" if shards > 1 else ""
    figures = [
        _figure(f"{name}: base weights", footprint.frozen_bytes / shards, f"weights that are not trained{shared}"),
        _figure(
            f"{name}: trained weights and optimizer",
            footprint.state_bytes() / shards,
            f"{footprint.trained / 1e6:,.1f} million weights, their gradient and AdamW's two moments{shared}",
        ),
    ]
    if activations := _activations(training, footprint, tokens, device, processes, sum(_bytes(f) for f in figures)):
        figures.append(activations)
        total = _figure(f"{name}: a device", sum(map(_bytes, figures)), _fits(sum(map(_bytes, figures)), device))
        figures.append({**total, "at_most": True} if tokens.at_most else total)
    return figures


def _activations(
    training: Training, footprint: Footprint, tokens: RowTokens, device: Device, processes: int, other: float
) -> Figure | None:
    """Returns the memory of the activations of the largest micro-batch; None if unknown.

    With activation checkpointing, or if the stored activations do not fit, they are recomputed and need less memory.
    `other`: bytes of weights and optimizer.
    """
    sizes, trainer = footprint.activations, training.trainer
    if sizes is None:
        return None
    batch = _micro_batch(trainer, tokens, processes)
    supervised = batch * tokens.supervised / tokens.mean * sizes.a_supervised_token
    stored = batch * sizes.a_token + supervised
    recomputed = batch * (sizes.a_token_recomputed + sizes.one_layer) + supervised
    setting, source = trainer.activation_checkpointing, f"{batch:,.0f} tokens a micro-batch ({tokens.source})"
    too_large = setting == "auto" and device.name != "cpu" and stored > 0.8 * (device.memory - other)
    if setting is True or too_large:
        why = "because they do not fit" if too_large else "trainer.activation_checkpointing"
        source += f", recomputed ({why}; {stored / 2**30:.1f} GiB stored)"
    figure = _figure(
        f"train[{training.label}]: activations", recomputed if setting is True or too_large else stored, source
    )
    return {**figure, "at_most": True} if tokens.at_most else figure


def _micro_batch(trainer: TrainerConfig, tokens: RowTokens, processes: int) -> float:
    """Returns the tokens of the largest micro-batch of a process, which has at least the longest row."""
    rows = trainer.batch_size / processes
    if trainer.accumulate == "auto":
        return max(min(rows * tokens.mean, _ENOUGH), tokens.longest)
    return max(rows / trainer.accumulate * tokens.mean, tokens.longest)


def answering_memory(study: PlannedStudy, footprint: Footprint, device: Device) -> list[Figure]:
    """Returns the memory of one device while the study's model answers; [] for a server, and for vLLM on a CPU."""
    engine = study.config.engine
    if isinstance(engine, VllmEngine) and device.name != "cpu":
        size = engine.gpu_memory_utilization * device.memory
        return [_figure("evaluate: a device", size, f"engine.gpu_memory_utilization={engine.gpu_memory_utilization}")]
    if not isinstance(engine, TransformersEngine):
        return []
    weights, cache = footprint.saved_bytes, engine.batch_tokens * footprint.cache_bytes
    source = f"weights, and keys and values of engine.batch_tokens={engine.batch_tokens:,} tokens"
    return [_figure("evaluate: a device", weights + cache, f"{source}; {_fits(weights + cache, device)}")]


def _figure(what: str, size: float, source: str) -> Figure:
    return {"what": what, "value": size / 2**30, "unit": "GiB", "basis": "estimated", "source": source}


def _bytes(figure: Figure) -> float:
    return (figure["value"] or 0.0) * 2**30


def _fits(size: float, device: Device) -> str:
    """Returns a phrase: whether `size` bytes fit into 90% of the memory. Kernels and the allocator need the rest."""
    fits = "fits in" if size <= 0.9 * device.memory else "is too much for"
    of = "this machine" if device.name == "cpu" else f"one {device.name}"
    return f"{fits} the {device.memory / 2**30:.0f} GiB of {of}"
