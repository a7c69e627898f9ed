"""The LightningModule: trains the trainable weights of a causal language model."""

import hashlib
import math
from typing import TYPE_CHECKING, TypedDict

import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader

from raft_exp.core.errors import ConfigError, ModelError
from raft_exp.training import compilation, layers, sharding, weights
from raft_exp.training.config import TrainerConfig
from raft_exp.training.data import MicroBatchDataset, MicroBatches, TrainingBatch, TrainingPlan
from raft_exp.training.loss import token_losses
from raft_exp.training.signals import SignalCounter
from raft_exp.training.step_figures import FigureQueue, StepFigures

if TYPE_CHECKING:
    from transformers import PreTrainedModel


LATE_ON = ("cuda",)  # types of devices on which the figures of a step are read after the next step has been queued


class StepMetrics(TypedDict):
    """Loss, learning rate and gradient norm of an optimiser step."""

    loss: float
    learning_rate: float
    grad_norm: float  # before clipping


def learning_rate_factor(step: int, steps: int, warmup: int) -> float:
    """Returns the factor of the learning rate at `step` (from 0): linear warm-up, then cosine decay to 0.

    `steps`: number of all steps. `warmup`: number of warm-up steps.
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


class RaftModule(lightning.LightningModule):
    """Trains `model` on the steps of `plan`, from step `start` on.

    The gradient of an optimiser step is the gradient of the mean loss over all supervised tokens of the step, for any
    number of devices and micro-batches.
    """

    def __init__(
        self, model: "PreTrainedModel", config: TrainerConfig, plan: TrainingPlan, seed: int, start: int = 0
    ) -> None:
        super().__init__()
        self.model = model
        self.plan = plan
        self.start = start
        self._config, self._seed = config, seed
        self.accumulate: int = (  # micro-batches of a step
            plan.micro_batches(config.batch_size, config.processes())
            if config.accumulate == "auto"
            else config.accumulate
        )
        self._share = torch.zeros(())  # this process's part of the loss of the current step
        self.step_metrics = StepMetrics(loss=math.nan, learning_rate=math.nan, grad_norm=math.nan)  # of the last step
        self.signals = SignalCounter()
        self.stopped_by: list[float] = []  # counts of the signals over all processes
        self._figures = FigureQueue()
        self._read: list[StepFigures] = []  # figures that `finished_steps` has not returned yet
        self.updating = False  # true between the optimiser's update and its record in metrics.csv: the state is partial

    @property
    def step(self) -> int:
        """The number of finished optimiser steps, including steps before a resume."""
        return self.start + int(self.global_step)

    @property
    def sharded(self) -> bool:
        """Whether each process has only a part of the weights (FSDP)."""
        return self._config.strategy == "fsdp"

    @property
    def scaler(self) -> torch.amp.GradScaler | None:
        """The loss scaler of 16-mixed precision; None in other precisions."""
        return getattr(self.trainer.precision_plugin, "scaler", None)

    @property
    def late(self) -> bool:
        """Whether the figures of a step are read after the next step has been queued, to keep the device busy."""
        return self.device.type in LATE_ON and not self.sharded and self.scaler is None

    def setup(self, stage: str) -> None:
        """Raises ConfigError if trainer.batch_size is not a multiple of devices x micro-batches."""
        world_size = self.trainer.world_size
        if self._config.batch_size % (self.accumulate * world_size):
            raise ConfigError(
                f"trainer.batch_size={self._config.batch_size} must be a multiple of {self.accumulate * world_size} "
                f"({world_size} devices x trainer.accumulate={self.accumulate}); change one of them"
            )

    def configure_model(self) -> None:
        """With trainer.strategy=fsdp: shards the weights over the processes."""
        if self.sharded:
            assert self.device_mesh is not None
            dtypes = {"bf16-mixed": torch.bfloat16, "bf16-true": torch.bfloat16}
            sharding.shard(self.model, self.device_mesh["data_parallel"], dtypes.get(self._config.precision))

    def micro_batches(self) -> MicroBatches:
        """Returns the micro-batches of this process, from step `start` to the end of the plan."""
        rank, world_size = self.trainer.global_rank, self.trainer.world_size
        return MicroBatches(self.plan, self.start, self.accumulate, rank, world_size, self._config.packs())

    def train_dataloader(self) -> DataLoader[TrainingBatch]:
        """Returns a loader of the micro-batches of this process as tensors."""
        workers = self._config.workers
        # A generator of its own: the loader must not draw from the one that dropout uses.
        return DataLoader(
            MicroBatchDataset(self.plan.rows, self._config.packs()),
            batch_size=None,
            sampler=self.micro_batches(),
            num_workers=workers,
            pin_memory=self.device.type == "cuda",
            persistent_workers=workers > 0,
            generator=torch.Generator(),
        )

    def on_train_start(self) -> None:
        """Sets training mode (`from_pretrained` sets evaluation mode) and signal handlers.

        Also compiles the decoder layers and turns on activation checkpointing, if the settings and the plan require it.
        Raises ModelError if trainer.compile=true is not possible.
        """
        self.model.train()
        self.signals.listen()
        if compilation.wants_compilation(self, self._config):
            compilation.compile_layers(self.model)
        if layers.wants_checkpointing(self, self._config):
            layers.checkpoint_activations(self.model)

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        """Returns the micro-batch's part of the loss of the step, times the number of micro-batches and processes.

        Lightning averages over micro-batches and processes, so that the gradients of the parts are added.
        """
        micro_batch = batch["micro_batch"]
        # Dropout depends on the place in the plan alone, so that a checkpoint needs no random state.
        torch.manual_seed(_seed(self._seed, self.step, micro_batch, self.global_rank))
        share = token_losses(self.model, batch).sum() / self.plan.supervised(self.step)
        self._share = share.detach() + (self._share if micro_batch else 0)
        return share * self.accumulate * self.trainer.world_size

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips the gradient by its norm over all trainable weights.

        Raises ModelError, before the update, for a loss or norm that is not finite. If `late`, the device skips the
        update instead, and `finished_steps` raises the error. A norm that is not finite is no error with a loss scaler,
        which skips the update.
        """
        shared = torch.tensor([0.0, *self.signals.counts], device=self.device)
        shared[0] = self._share
        shared = self.trainer.strategy.reduce(shared, reduce_op="sum")
        clipped = nn.utils.clip_grad_norm_(self.trainable().values(), gradient_clip_val or math.inf)
        # One transfer at the end of the step, because each transfer makes the CPU wait for the GPU.
        figures = torch.cat([shared, sharding.whole(clipped).reshape(1).to(shared)])
        self._figures.put(self.step + 1, optimizer.param_groups[0]["lr"], figures)
        if self.late:
            optimizer.found_inf = 1.0 - torch.isfinite(figures).all().float()  # AdamW's kernel then changes nothing
        else:
            self._read += self._checked(newest=True)
        self.updating = True

    def finished_steps(self, newest: bool) -> list[StepFigures]:
        """Returns the figures of finished steps that were not returned before, in order.

        If `late`, the figures of the last step are included only with `newest`, which blocks until the device has
        finished the step. Raises ModelError for a loss or norm that is not finite.
        """
        steps, self._read = self._read, []
        return steps + self._checked(newest)

    def _checked(self, newest: bool) -> list[StepFigures]:
        steps = self._figures.take(newest)
        for step in steps:
            if not math.isfinite(step.loss):
                raise self._not_finite("loss", step.loss, step.step)
            if not self.scaler and not math.isfinite(step.grad_norm):  # a scaler skips such a step
                raise self._not_finite("gradient norm", step.grad_norm, step.step)
            self.stopped_by = step.signals
            self.step_metrics = StepMetrics(loss=step.loss, learning_rate=step.learning_rate, grad_norm=step.grad_norm)
        return steps

    def _not_finite(self, what: str, value: float, step: int) -> ModelError:
        ids = ", ".join(self.plan.rows.ids[number] for number in self.plan.steps[step - 1])
        return ModelError(
            f"{what} is {value} at step {step} (rows {ids}); "
            "lower trainer.learning_rate, or use trainer.precision=32-true or bf16-mixed"
        )

    def trainable(self) -> dict[str, nn.Parameter]:
        """Returns the trained weights by name, in a fixed order."""
        return weights.weights(self.model)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Returns AdamW and its schedule (`learning_rate_factor`), which continues at step `start` after a resume."""
        rate = self._config.learning_rate
        assert rate != "auto", "the settings are resolved"
        fused = True if self.late else None  # one kernel, which can skip an update on the device
        optimizer = torch.optim.AdamW(
            self.trainable().values(), lr=rate, weight_decay=self._config.weight_decay, fused=fused
        )
        steps = len(self.plan.steps)
        warmup = round(self._config.warmup_share * steps)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(self.start + step, steps, warmup)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _seed(*place: int) -> int:
    return int.from_bytes(hashlib.sha256(":".join(map(str, place)).encode()).digest()[:7])
