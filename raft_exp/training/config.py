"""Settings of training. The pipeline reads them before any stage runs, so this module imports no slow package."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from raft_exp.core.schema import Count, KeyedWhenSet, Positive, PositiveFloat, Runtime, Share, config_dataclass
from raft_exp.models.dtype import Dtype

Precision = Literal["32-true", "bf16-mixed", "bf16-true", "16-mixed"]
PRECISIONS: dict[str, Precision] = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


@config_dataclass
class LoraConfig:
    """The LoRA adapter; r=0 trains all weights of the model instead."""

    r: Count
    alpha: Positive
    dropout: Share
    target_modules: Literal["all-linear"] | Annotated[list[str], Field(min_length=1)]
    rslora: bool  # scale by alpha / sqrt(r) instead of alpha / r
    dora: KeyedWhenSet[bool] = False  # DoRA: train the magnitudes of the weights as well (arXiv 2402.09353)


@config_dataclass
class MatchedPlan:
    """The settings that determine another training's number of supervised tokens, which this training must reach."""

    batch_size: Positive
    max_epochs: Positive
    max_steps: Literal[-1] | Positive


@config_dataclass
class TrainerConfig:
    """Devices, duration and optimiser of a training.

    `batch_size` is the number of examples of one optimiser step, over all devices and micro-batches. The comments of
    conf/trainer/default.yaml describe the other fields, with their units.
    """

    accelerator: Literal["cpu", "gpu", "auto"]
    devices: Positive | Literal["auto"]
    strategy: Literal["auto", "ddp", "fsdp"]
    num_nodes: Positive
    rank_launcher: Runtime[str | None]
    precision: Precision | Literal["auto"]
    max_steps: Literal[-1] | Positive
    max_epochs: Positive
    batch_size: Positive
    packing: bool | Literal["auto"]
    activation_checkpointing: Runtime[bool | Literal["auto"]]
    compile: bool | Literal["auto"]
    accumulate: Positive | Literal["auto"]
    learning_rate: PositiveFloat | Literal["auto"]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_share: Share
    gradient_clip: PositiveFloat
    validate_every: Positive
    validation_items: Positive | None
    early_stopping: Positive | None
    keep: Literal["last", "best"]
    checkpoint_every: Runtime[Positive]
    workers: Runtime[Count]
    threads: Positive | None  # CPU threads of all processes of this machine together
    # name of an arm: train on as many supervised tokens as the training of that arm, instead of max_epochs
    supervised_tokens: KeyedWhenSet[str | None] = None

    def resolved(self, dtype: Dtype, learning_rate: float | None = None) -> "TrainerConfig":
        """Returns the settings as they enter a stage's key, with values in place of `auto` in four fields.

        An `auto` precision follows from `dtype`, the model's type. An `auto` learning rate becomes `learning_rate`, the
        model's default. An `auto` packing becomes true; TrainStage.may_pad then allows padding. An `auto` compile
        becomes false; TrainStage.may_compile then allows compiled layers, which differ in rounding only. Raises
        ValueError for an `auto` learning rate if `learning_rate` is None.
        """
        precision = PRECISIONS[dtype] if self.precision == "auto" else self.precision
        rate = learning_rate if self.learning_rate == "auto" else self.learning_rate
        if rate is None:
            raise ValueError(
                "trainer.learning_rate: got 'auto', but model.lora_learning_rate is null; set either to a number"
            )
        return replace(
            self,
            precision=precision,
            packing=bool(self.packing),
            compile=self.compile is True,
            learning_rate=rate,
        )

    def packs(self) -> bool:
        """Whether rows are packed. `auto` counts as packed: `packed.pack_where_possible` decides for the model."""
        return bool(self.packing)

    def on_gpu(self) -> bool:
        """Whether training runs on a GPU of this machine."""
        if self.accelerator != "auto":
            return self.accelerator == "gpu"
        import torch

        return bool(torch.cuda.is_available())

    def threads_a_process(self) -> int | None:
        """Returns the CPU threads of one process; None if `threads` is null.

        With accelerator=cpu, the processes share `threads`.
        """
        processes = self.devices if self.accelerator == "cpu" and isinstance(self.devices, int) else 1
        return self.threads and max(1, self.threads // processes)

    def processes(self) -> int:
        """Returns the number of training processes over all nodes: one per device."""
        if self.devices != "auto":
            return self.devices * self.num_nodes
        import torch

        return (1 if self.accelerator == "cpu" else max(1, torch.cuda.device_count())) * self.num_nodes

    @model_validator(mode="after")
    def _micro_batches_are_whole(self) -> "TrainerConfig":
        if self.accumulate != "auto" and self.batch_size % self.accumulate:
            raise ValueError(
                f"trainer.accumulate={self.accumulate} does not divide trainer.batch_size={self.batch_size}; "
                "change one of them"
            )
        shares = (1 if self.accumulate == "auto" else self.accumulate) * self.num_nodes
        if self.devices != "auto" and self.batch_size % (shares * self.devices):
            raise ValueError(
                f"trainer.batch_size={self.batch_size} must be a multiple of {shares * self.devices} "
                f"({self.devices * self.num_nodes} devices x trainer.accumulate={self.accumulate}); change one of them"
            )
        return self
