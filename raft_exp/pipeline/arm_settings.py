"""The settings of one arm: those of the study with the arm's changes, and the learning rates of its training."""

import json
from dataclasses import fields, replace
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from raft_exp.core.errors import ConfigError
from raft_exp.dataset.stage import DatasetConfig
from raft_exp.pipeline.config import ArmConfig, Config
from raft_exp.pipeline.config_errors import explained
from raft_exp.training.config import LoraConfig, TrainerConfig

# Best learning rate of a LoRA adapter over that of full fine-tuning: https://thinkingmachines.ai/blog/lora/
_ADAPTER_RATE = 10
_UNUSED = 1e-4  # learning rate of trainings for which the selection chooses one
_AROUND = (0.1, 0.3, 1, 3, 10)  # selection.learning_rates=auto: factors of the rate that suits the model
_RESERVED = ("raft", "closed_book", "test", "validation")  # dataset names that an arm with its own dataset cannot have
# Settings of the machine, which all trainings of a study share.
_SHARED = (
    "accelerator",
    "devices",
    "strategy",
    "num_nodes",
    "rank_launcher",
    "checkpoint_every",
    "workers",
    "threads",
)

Settings = TypeVar("Settings", TrainerConfig, LoraConfig)


def arm_dataset(config: Config, name: str, arm: ArmConfig) -> DatasetConfig:
    """Returns the study's dataset settings with the changes of an arm. Raises ConfigError for invalid ones."""
    if arm.dataset and name in _RESERVED:
        raise ConfigError(
            f"arms.{name}.dataset: got {arm.dataset}, but {name!r} is the name of a data set of every study; "
            "give the arm another name"
        )
    if "prompt_mode" in arm.dataset:
        raise ConfigError(
            f"arms.{name}.dataset.prompt_mode: all arms of a study have one prompt mode; set dataset.prompt_mode"
        )
    if config.dataset.path and arm.dataset and "path" not in arm.dataset:
        raise ConfigError(
            f"arms.{name}.dataset: got {arm.dataset}, which cannot change the ready rows of "
            f"dataset.path={config.dataset.path!r}; leave the arm out of evaluation.arms, or give it a file of its "
            f"own: arms.{name}.dataset.path"
        )
    values = {field.name: getattr(config.dataset, field.name) for field in fields(DatasetConfig)} | arm.dataset
    try:
        dataset: DatasetConfig = TypeAdapter(DatasetConfig).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError(f"arms.{name}.{explained(error, ('dataset',))[0]}") from None
    if arm.recipe == "raft" and arm.cot != dataset.cot:
        raise ConfigError(
            f"arms.{name}.cot: got {arm.cot}, but it is trained with dataset.cot={dataset.cot}; give both one value"
        )
    return dataset


def arm_trainer(config: Config, name: str) -> TrainerConfig:
    """Returns the study's trainer settings with the changes of an arm. Raises ConfigError for invalid ones."""
    arm = config.arms[name]
    for key in arm.trainer:
        if key in _SHARED:
            raise ConfigError(f"arms.{name}.trainer.{key}: all trainings of a study share it; set trainer.{key}")
    _check_owner(name, arm, "trainer", arm.trainer)
    return _changed(config.trainer, TrainerConfig, arm.trainer, name, "trainer")


def arm_lora(config: Config, name: str) -> LoraConfig:
    """Returns the study's adapter settings with the changes of an arm. Raises ConfigError for invalid ones."""
    _check_owner(name, config.arms[name], "lora", config.arms[name].lora)
    return _changed(config.lora, LoraConfig, config.arms[name].lora, name, "lora")


def _check_owner(name: str, arm: ArmConfig, group: str, changes: object) -> None:
    """Raises ConfigError for an arm without a training, and where its training would be named as another recipe's."""
    if changes and arm.recipe == "none":
        raise ConfigError(
            f"arms.{name}.{group}: got {changes}, but an arm with recipe: none is not trained; leave it out"
        )
    if changes and name in ("raft", "closed_book") and name != arm.recipe:
        raise ConfigError(
            f"arms.{name}.{group}: got {changes}, but the arm has the name of another recipe; give it another name"
        )


def _changed(settings: Settings, kind: type[Settings], changes: dict[str, object], arm: str, group: str) -> Settings:
    """The settings with an arm's changes."""
    if not changes:
        return settings
    values = {name.name: getattr(settings, name.name) for name in fields(kind)} | changes
    try:
        changed: Settings = TypeAdapter(kind).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError(f"arms.{arm}.{explained(error, (group,))[0]}") from None
    return changed


def resolved_trainer(config: Config, arm: str | None = None) -> TrainerConfig:
    """The trainer's settings, with the changes of `arm`, and with the model's own values in place of `auto`.

    Raises ValueError for a learning rate `auto` that the model does not have.
    """
    return _resolved(config, arm_trainer(config, arm) if arm else config.trainer, arm)


def _resolved(config: Config, trainer: TrainerConfig, arm: str | None) -> TrainerConfig:
    rate = config.model.lora_learning_rate
    if rate is not None and not (arm_lora(config, arm) if arm else config.lora).r:
        rate /= _ADAPTER_RATE
    if rate is None and config.selection.learning_rates is not None:
        rate = _UNUSED
    return trainer.resolved(config.model.dtype, rate)


def learning_rates(config: Config, arm: str) -> list[float]:
    """The learning rates that the training of an arm is tried with, in ascending order; [] without a selection."""
    rates = config.selection.learning_rates
    if rates is None:
        return []
    if rates == "auto":
        suits = replace(config.trainer, learning_rate="auto") if config.model.lora_learning_rate else config.trainer
        rate = _resolved(config, suits, arm).learning_rate
        assert isinstance(rate, float), "resolved"
        return [float(f"{rate * factor:.3g}") for factor in _AROUND]
    return sorted(rates)
