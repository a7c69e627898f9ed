"""The settings of a study's trainings that the tools of `export.for` need."""

import json
from pathlib import Path
from typing import Literal

from raft_exp.core.schema import Positive, PositiveFloat, Runtime, Seed, Share, config_dataclass
from raft_exp.models.dtype import Dtype
from raft_exp.models.loading import ModelConfig

MODEL_FOLDER = "MODEL_FOLDER"  # stands for the path of a model folder

ToolName = Literal["trl", "axolotl", "llamafactory", "swift"]


@config_dataclass
class ToolLora:
    """The LoRA adapter of a training."""

    r: Positive
    alpha: Positive
    dropout: Share
    target_modules: list[str]  # [all-linear]: all linear layers
    rslora: bool
    dora: bool


@config_dataclass
class TestedArm:
    """How an arm of the study tests the weights of a training."""

    context: Literal["none", "passages", "gold"]
    cot: bool


@config_dataclass
class ToolTraining:
    """One training of a study."""

    dataset: str
    arms: dict[str, TestedArm]
    lora: ToolLora | None  # None: all weights are trained
    dtype: Dtype  # of the loaded weights
    bf16: bool  # trained in mixed precision with bfloat16
    fp16: bool
    learning_rate: PositiveFloat
    weight_decay: float
    warmup_share: Share  # of the optimiser steps
    gradient_clip: PositiveFloat
    max_steps: Literal[-1] | Positive
    max_epochs: Positive
    rows_a_device: Positive  # in one micro-batch
    accumulate: Positive  # micro-batches of one optimiser step
    devices: Positive  # over all machines
    cpu: bool
    checkpointing: bool  # activations are computed again in the backward pass

    @property
    def batch_size(self) -> int:
        """The number of rows in one optimiser step, over all devices and micro-batches."""
        return self.rows_a_device * self.accumulate * self.devices

    def steps(self, rows: int) -> int:
        """Returns the number of optimiser steps on a training set of `rows` rows, as in the study's own training."""
        return self.max_steps if self.max_steps > 0 else self.max_epochs * -(-rows // self.batch_size)

    def warmup(self, rows: int) -> int:
        """Returns the number of warm-up steps, as in the study's own training."""
        return round(self.warmup_share * self.steps(rows))


@config_dataclass
class ToolSettings:
    """The tools to write for, and the trainings of the study."""

    study: str
    tools: list[ToolName]
    model: ModelConfig
    path: Runtime[str]  # what the tools load: a hub id, or the absolute path of a model folder
    family: str | None  # `model_type` of a model folder; None for a hub id
    trainings: dict[str, ToolTraining]
    left_out: list[str]  # arms whose training no tool can repeat
    seed: Seed

    @property
    def model_entry(self) -> str:
        """The model's entry in the configuration files of the tools: a hub id, or MODEL_FOLDER.

        So the files in the store do not depend on the path of the model folder. `with_model_folder` writes this path
        into the files of a run.
        """
        return MODEL_FOLDER if Path(self.path).is_absolute() else self.path


def with_model_folder(configuration: str, path: str) -> str:
    """Returns the text of a tool's configuration file (YAML) with the path of the model folder."""
    return configuration.replace(f": {MODEL_FOLDER}\n", f": {json.dumps(path, ensure_ascii=False)}\n")
