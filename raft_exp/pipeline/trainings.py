"""The trainings of a study: which arms share the weights of one, and the names of its stages.

Arms of one recipe share a training, unless they change settings of its dataset, its trainer or its adapter: arms with
equal changes share one then.
"""

import json
from dataclasses import dataclass, replace

from raft_exp.core.schema import identity
from raft_exp.pipeline.config import Config, arm_lora
from raft_exp.training.config import LoraConfig, TrainerConfig


@dataclass(frozen=True)
class Training:
    """One training. Its stage is `train[label]`, its rows are those of `dataset[dataset]`."""

    label: str
    dataset: str
    arms: tuple[str, ...]  # those under test with its weights, in their order
    trainer: TrainerConfig  # resolved; with `rates`, its learning rate is not used
    lora: LoraConfig
    rates: tuple[float, ...] = ()  # ascending, for a study that chooses the learning rate on validation questions

    @property
    def stage(self) -> str:
        """The label of the stage whose result holds the weights."""
        return f"select[{self.label}]" if self.rates else f"train[{self.label}]"

    def tried(self) -> "dict[str, Training]":
        """A training for each of `rates`, by the name of the candidate. All but the rate is the same."""
        names = {f"lr={rate:g}": rate for rate in self.rates}
        return {
            name: replace(
                self, label=f"{self.label}@{name}", trainer=replace(self.trainer, learning_rate=rate), rates=()
            )
            for name, rate in names.items()
        }


def datasets(config: Config) -> dict[str, str]:
    """Trained arm -> the name of its training set: its recipe, or the first arm with the same changes to `dataset`."""
    names: dict[str, str] = {}
    first: dict[str, str] = {}
    for name in config.trained_arms():
        arm = config.arms[name]
        made_by = json.dumps([arm.recipe, arm.dataset], sort_keys=True)
        names[name] = first.setdefault(made_by, name) if arm.dataset else arm.recipe
    return names


def trainings(config: Config) -> list[Training]:
    """The trainings of the arms under test, in the order of their first arms.

    A training has the name of its dataset where it is the only one on it, else that of its first arm.
    """
    of_arm = datasets(config)
    groups: dict[str, list[str]] = {}
    for name, dataset in of_arm.items():
        groups.setdefault(_identity(config, name, dataset), []).append(name)
    on_dataset = [of_arm[arms[0]] for arms in groups.values()]
    return [
        Training(
            dataset if on_dataset.count(dataset) == 1 else arms[0],
            dataset,
            tuple(arms),
            config.resolved_trainer(arms[0]),
            arm_lora(config, arms[0]),
            tuple(config.learning_rates(arms[0])),
        )
        for dataset, arms in zip(on_dataset, groups.values(), strict=True)
    ]


def training_of(config: Config, arm: str) -> Training | None:
    """The training of an arm under test; None for an arm without one."""
    return next((training for training in trainings(config) if arm in training.arms), None)


def _identity(config: Config, arm: str, dataset: str) -> str:
    trainer: dict[str, object] = identity(config.resolved_trainer(arm))
    if rates := config.learning_rates(arm):
        trainer["learning_rate"] = rates
    settings = [dataset, trainer, identity(arm_lora(config, arm))]
    return json.dumps(settings, sort_keys=True)
