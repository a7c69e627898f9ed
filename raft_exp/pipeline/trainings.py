"""The trainings of a study, the arms that share each training, and the labels of their stages.

Arms share a training if they have the same recipe, the same changes to `dataset`, and the same settings of trainer and
adapter.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from raft_exp.core.schema import identity
from raft_exp.pipeline.arm_settings import arm_lora, learning_rates, resolved_trainer
from raft_exp.pipeline.config import ArmConfig, Config
from raft_exp.training.config import LoraConfig, MatchedPlan, TrainerConfig


@dataclass(frozen=True)
class Matched:
    """The training whose number of supervised tokens another training must reach (`trainer.supervised_tokens`)."""

    dataset: str  # its training set: NAME of the stage dataset[NAME]
    plan: MatchedPlan


@dataclass(frozen=True)
class Training:
    """One training: the stage train[LABEL], on the training rows of the stage dataset[DATASET]."""

    label: str
    dataset: str
    arms: tuple[str, ...]  # the arms of `evaluation.arms` with these weights, in this order
    trainer: TrainerConfig  # resolved; with `rates`, its learning rate is not used
    lora: LoraConfig
    matched: "Matched | None" = None  # the training whose number of supervised tokens this one must reach
    rates: tuple[float, ...] = ()  # candidate learning rates, ascending; () if the study does not choose one

    @property
    def stage(self) -> str:
        """The label of the stage whose result holds the weights."""
        return f"select[{self.label}]" if self.rates else f"train[{self.label}]"

    def tried(self) -> "dict[str, Training]":
        """Returns one training for each candidate rate, by name (`lr=0.001`). Only the learning rate differs."""
        names = {f"lr={rate:g}": rate for rate in self.rates}
        return {
            name: replace(
                self, label=f"{self.label}@{name}", trainer=replace(self.trainer, learning_rate=rate), rates=()
            )
            for name, rate in names.items()
        }


def datasets(config: Config) -> dict[str, str]:
    """Returns the name of each trained arm's training set.

    The training set has the name of the recipe. For an arm that changes `dataset`, it has the name of the first arm
    with the same recipe and the same changes.
    """
    names: dict[str, str] = {}
    first: dict[str, str] = {}
    for name in config.trained_arms():
        arm = config.arms[name]
        made_by = json.dumps([arm.recipe, arm.dataset], sort_keys=True)
        names[name] = first.setdefault(made_by, name) if arm.dataset else arm.recipe
    return names


def owners(config: Config) -> dict[str, tuple[str, ArmConfig]]:
    """Returns for each training set the name and settings of the first arm that is trained on it."""
    first: dict[str, tuple[str, ArmConfig]] = {}
    for name, dataset in datasets(config).items():
        first.setdefault(dataset, (name, config.arms[name]))
    return first


def trainings(config: Config) -> list[Training]:
    """Returns the trainings of the arms in `evaluation.arms`, in the order of their first arms.

    The label of a training is the name of its data set if no other training uses this data set, or if its trainer and
    adapter have the study's settings. Otherwise the label is the name of the training's first arm.
    """
    of_arm = datasets(config)
    groups: dict[str, list[str]] = {}
    for name, dataset in of_arm.items():
        groups.setdefault(_identity(config, name, dataset), []).append(name)
    on_dataset = [of_arm[arms[0]] for arms in groups.values()]
    return [
        Training(
            dataset if on_dataset.count(dataset) == 1 or _unchanged(config, arms[0], dataset) else arms[0],
            dataset,
            tuple(arms),
            replace(resolved_trainer(config, arms[0]), supervised_tokens=None),
            arm_lora(config, arms[0]),
            _matched(config, arms[0], of_arm),
            tuple(learning_rates(config, arms[0])),
        )
        for dataset, arms in zip(on_dataset, groups.values(), strict=True)
    ]


def _matched(config: Config, arm: str, datasets: Mapping[str, str]) -> Matched | None:
    other = resolved_trainer(config, arm).supervised_tokens
    if other is None:
        return None
    trainer = resolved_trainer(config, other)
    return Matched(datasets[other], MatchedPlan(trainer.batch_size, trainer.max_epochs, trainer.max_steps))


def training_of(config: Config, arm: str) -> Training | None:
    """Returns the training of an arm; None for an arm that is not trained."""
    return next((training for training in trainings(config) if arm in training.arms), None)


def _identity(config: Config, arm: str | None, dataset: str) -> str:
    """Returns a text that is equal for arms that share a training. `arm` None: the study's settings without changes."""
    trainer: dict[str, object] = identity(resolved_trainer(config, arm))
    if config.selection.learning_rates:
        trainer.pop("learning_rate")
    return json.dumps([dataset, trainer, identity(arm_lora(config, arm) if arm else config.lora)], sort_keys=True)


def _unchanged(config: Config, arm: str, dataset: str) -> bool:
    return _identity(config, arm, dataset) == _identity(config, None, dataset)
