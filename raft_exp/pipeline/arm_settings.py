"""The settings of one arm: the study's settings with the arm's own changes, and the learning rates of its training."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from raft_exp.core.errors import ConfigError
from raft_exp.dataset.config import DatasetConfig
from raft_exp.pipeline.config import ArmConfig, Config
from raft_exp.pipeline.config_errors import explained
from raft_exp.training.config import LoraConfig, TrainerConfig

# Ratio of the best learning rates of a LoRA adapter and of full fine-tuning: https://thinkingmachines.ai/blog/lora/
_ADAPTER_RATE = 10
_UNUSED = 1e-4  # placeholder for the learning rate of trainings for which the selection chooses one
_AROUND = (0.1, 0.3, 1, 3, 10)  # selection.learning_rates=auto: factors of the rate that suits the model
# Dataset names that an arm with its own dataset cannot have.
_RESERVED = ("raft", "closed_book", "test", "test_gold", "validation", "validation_gold")
# Settings of a data set that have no effect on retrieved and published contexts, and the values that stand for them in
# its key: a sweep over one of them trains such an arm once.
_OF_CHOSEN_GOLD: dict[str, object] = {
    "p": 0.5,
    "num_distractors": 0,
    "distractors": "random",
    "mixed": None,
    "max_score": None,
    "relative_margin": None,
    "constant_size": True,
    "partial_gold": False,
    "same_document": False,
    "allow_answer_in_distractor": False,
    "allow_fewer": False,
}
_CHOSEN_BY = {"retrieved": "the first ones of the retriever", "given": "those published with the question"}
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
    """Returns the study's dataset settings with the changes of an arm. Raises ConfigError for invalid changes."""
    if arm.dataset and name in _RESERVED:
        raise ConfigError(
            f"arms.{name}.dataset: got {arm.dataset}, but the name {name!r} is reserved for a data set of the study; "
            "give the arm another name"
        )
    if "prompt_mode" in arm.dataset:
        raise ConfigError(
            f"arms.{name}.dataset.prompt_mode: got {arm.dataset['prompt_mode']!r}, but all arms of a study share one "
            "prompt mode; remove this change, and set dataset.prompt_mode"
        )
    if config.dataset.path and arm.recipe == "raft" and arm.dataset and "path" not in arm.dataset:
        raise ConfigError(
            f"arms.{name}.dataset: got {arm.dataset}, but the rows of dataset.path={config.dataset.path!r} are ready-"
            f"made and cannot be changed; remove the arm from evaluation.arms, or give the arm its own file: "
            f"arms.{name}.dataset.path=FILE"
        )
    values = asdict(config.dataset) | arm.dataset
    dataset = _dataset(values, name)
    if (arm.recipe == "raft" or "cot" in arm.dataset) and arm.cot != dataset.cot:
        raise ConfigError(
            f"arms.{name}.cot: got {arm.cot}, but the arm is trained with dataset.cot={dataset.cot}; set both to "
            "the same value"
        )
    if dataset.chooses_gold:
        return dataset
    if unused := [key for key in arm.dataset if key in _OF_CHOSEN_GOLD]:
        raise ConfigError(
            f"arms.{name}.dataset.{unused[0]}: got {arm.dataset[unused[0]]!r}, which has no effect with "
            f"dataset.context={dataset.context}; remove it, or set +arms.{name}.dataset.context=gold_and_distractors"
        )
    return _dataset(values | _OF_CHOSEN_GOLD, name)


def _dataset(values: Mapping[str, object], arm: str) -> DatasetConfig:
    try:
        dataset: DatasetConfig = TypeAdapter(DatasetConfig).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError(f"arms.{arm}.{explained(error, ('dataset',), f'arms.{arm}.dataset')[0]}") from None
    return dataset


def ignored_settings(config: Config) -> str:
    """Returns a line with the settings that have no effect with the chosen `dataset.context`; "" if all have one."""
    context = config.dataset.context
    if config.dataset.chooses_gold or config.dataset.path:
        return ""
    return (
        f"dataset.context={context}: {', '.join(f'dataset.{key}' for key in _OF_CHOSEN_GOLD)} have no effect on the "
        f"training rows, whose passages are {_CHOSEN_BY[context]}"
    )


def arm_trainer(config: Config, name: str) -> TrainerConfig:
    """Returns the study's trainer settings with the changes of an arm. Raises ConfigError for invalid changes."""
    arm = config.arms[name]
    for key in arm.trainer:
        if key in _SHARED:
            raise ConfigError(
                f"arms.{name}.trainer.{key}: got {arm.trainer[key]!r}, but all trainings of a study share this "
                f"setting; remove this change, and set trainer.{key}"
            )
    _check_owner(name, arm, "trainer", arm.trainer)
    return _changed(config.trainer, TrainerConfig, arm.trainer, name, "trainer")


def arm_lora(config: Config, name: str) -> LoraConfig:
    """Returns the study's adapter settings with the changes of an arm. Raises ConfigError for invalid changes."""
    _check_owner(name, config.arms[name], "lora", config.arms[name].lora)
    return _changed(config.lora, LoraConfig, config.arms[name].lora, name, "lora")


def _check_owner(name: str, arm: ArmConfig, group: str, changes: object) -> None:
    """Raises ConfigError for `changes` of an arm that is not trained, or that has the name of another recipe."""
    if changes and arm.recipe == "none":
        raise ConfigError(
            f"arms.{name}.{group}: got {changes}, but this arm is not trained (recipe=none); remove the changes"
        )
    if changes and name in ("raft", "closed_book") and name != arm.recipe:
        raise ConfigError(
            f"arms.{name}.{group}: got {changes}, but an arm with settings of its own cannot have the name of "
            f"another recipe (name {name!r}, recipe={arm.recipe}); give the arm another name"
        )


def _changed(settings: Settings, kind: type[Settings], changes: dict[str, object], arm: str, group: str) -> Settings:
    """Returns the settings with an arm's changes. Raises ConfigError for invalid changes."""
    if not changes:
        return settings
    values = {name.name: getattr(settings, name.name) for name in fields(kind)} | changes
    try:
        changed: Settings = TypeAdapter(kind).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError(f"arms.{arm}.{explained(error, (group,), f'arms.{arm}.{group}')[0]}") from None
    return changed


def resolved_trainer(config: Config, arm: str | None = None) -> TrainerConfig:
    """Returns the trainer settings with the changes of `arm` (None: no changes). Each `auto` is replaced by a value.

    Raises ValueError if the learning rate is `auto` and `model.lora_learning_rate` is null.
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
    """Returns the candidate learning rates of an arm's training in ascending order; [] if the rate is not searched."""
    rates = config.selection.learning_rates
    if rates is None:
        return []
    if rates == "auto":
        suits = replace(config.trainer, learning_rate="auto") if config.model.lora_learning_rate else config.trainer
        rate = _resolved(config, suits, arm).learning_rate
        assert isinstance(rate, float), "resolved"
        return [float(f"{rate * factor:.3g}") for factor in _AROUND]
    return sorted(rates)
