"""The settings of all data sets of a study, to check early whether there are enough questions and passages."""

from collections.abc import Iterator

from raft_exp.dataset.pool_check import Demand
from raft_exp.dataset.rows import Window
from raft_exp.dataset.supply import EVALUATION_NAMES, GOLD_ARMS_NAMES, SettingNames
from raft_exp.pipeline import stage_settings
from raft_exp.pipeline.arm_settings import arm_dataset
from raft_exp.pipeline.conditions import condition, gold_alone, validation
from raft_exp.pipeline.config import ArmConfig, Config
from raft_exp.pipeline.trainings import owners
from raft_exp.pipeline.wordings import wordings


def raft_owner(config: Config) -> tuple[str, ArmConfig]:
    """Returns name and settings of a raft arm, for the training set of a study that trains no raft arm."""
    return "raft", ArmConfig("raft", "passages", config.dataset.cot, None, {})


def demands(config: Config, window: Window) -> Iterator[Demand]:
    """Yields the settings of each data set that the study makes from its questions.

    These are the training sets, the test set, its conditions, and the validation questions on which settings are
    chosen. A ready-made chat file (`dataset.path`) is left out. `window`: tokenizer and length limits of the model.
    """
    made = owners(config)
    if config.tried_with_examples() or any(config.arms[name].examples for name in config.evaluation.arms):
        made.setdefault("raft", raft_owner(config))
    for owner in made.values():
        if owner[1].recipe == "closed_book":
            yield stage_settings.closed_book_settings(config, owner, window)
        elif not arm_dataset(config, *owner).path:
            yield stage_settings.raft_settings(config, owner, window)
    tests = {"": (config.evaluation, EVALUATION_NAMES)} | {
        name: (condition(config, name), SettingNames.of_condition(name, changes))
        for name, changes in config.evaluation.conditions.items()
    }
    if config.selection.on or wordings(config):
        tests["validation"] = (validation(config), SettingNames.of("selection.changes"))
    if any(config.arms[name].context == "gold" for name in config.evaluation.arms):
        tests |= {
            f"{name}_gold": (gold_alone(tests[name][0]), GOLD_ARMS_NAMES)
            for name in ("", "validation")
            if name in tests
        }
    for evaluation, names in tests.values():
        yield stage_settings.test_settings(config, evaluation, window, names)
