"""A finished run, read from its run folder: its settings and the folders of its results in the store."""

import contextlib
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from raft_exp.core.errors import ConfigError, DataError, StoreError, suggest
from raft_exp.core.plan import PlanRow
from raft_exp.core.records import Example, read_jsonl
from raft_exp.core.stage import Stage
from raft_exp.evaluation.chosen_prompt import EXAMPLES, chosen_examples, chosen_prompt
from raft_exp.evaluation.results import Results
from raft_exp.evaluation.select_stage import CHOICE
from raft_exp.models import gguf, loading
from raft_exp.models.trained_weights import TrainedWeights
from raft_exp.pipeline import converted
from raft_exp.pipeline.arm_settings import resolved_trainer
from raft_exp.pipeline.config import ArmConfig, Config, conf_dir, primary_of
from raft_exp.pipeline.manifest import check
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.remote import is_remote
from raft_exp.pipeline.renamed import with_new_names
from raft_exp.pipeline.store import Store, open_store
from raft_exp.pipeline.trainings import datasets, training_of
from raft_exp.prompts import PromptConfig


@dataclass(frozen=True)
class CompletedStage(Stage):
    """A stage of a finished run, as an input of further stages. The results of its own inputs may be missing."""

    recorded: tuple[str, str] = ("", "")  # label and key from the run's plan.json

    def __post_init__(self) -> None:
        """Does nothing: the inputs of a finished stage are not checked."""

    @property
    def name(self) -> str:
        """The name of the stage: `train` for the label `train[raft]`."""
        return _stage_name(self.recorded[0])

    @property
    def label(self) -> str:
        """The label of the stage in the run's plan.json: `train[raft]`."""
        return self.recorded[0]

    @property
    def key(self) -> str:  # type: ignore[override]
        """The key of the stage's result in the run's plan.json."""
        return self.recorded[1]


class FinishedRun:
    """A finished run, read from its run folder.

    `store`: the folder of the store, if it was moved after the run, or the URL of a store that has the run's results.
    Raises DataError if `folder` has no readable plan.json.
    """

    def __init__(self, folder: Path, store: str | None = None) -> None:
        self.folder = folder
        self._rows = {row["stage"]: row for row in _read_plan(folder)}
        self._store = store

    @cached_property
    def config(self) -> Config:
        """The settings of the study. Raises the errors of `read_config`."""
        config = read_config(self.folder)
        self._use_converted(config)
        return config

    def _use_converted(self, config: Config) -> None:
        """Makes this process load a GGUF model from the model folder that the run made of it, if it still exists."""
        if gguf.is_gguf(config.model.name_or_path) and self.has(converted.STAGE):
            with contextlib.suppress(DataError, StoreError):  # results can be read without the model
                loading.use_folder(config.model.name_or_path, self.path(converted.STAGE))

    @cached_property
    def store(self) -> Store:
        """The store with the run's results."""
        made = Path(next(iter(self._rows.values()))["path"]).parents[1]
        url = self._store or read_store(self.folder)
        if not is_remote(url):
            return Store(self._store or made)
        return open_store(url, str(made if os.access(made, os.W_OK) else "store"))

    def path(self, label: str) -> Path:
        """Returns the result folder of a stage.

        Raises DataError if the run has no such stage or did not finish it, StoreError if its result is missing or
        damaged.
        """
        row = self._row(label)
        if row["status"] not in ("ran", "reused"):
            raise DataError(
                f"{self.folder}: {label} is {row['status']}; finish the study first, with the command that started it"
            )
        folder = self.store.obtain(CompletedStage(_never, None, recorded=(label, row["key"])))
        if not (folder / "manifest.json").is_file():
            raise StoreError(
                f"{folder} does not exist; if the store was moved, name its new folder with store=PATH, else run the "
                "study again"
            )
        check(folder, label, self.store.root)
        return folder

    def completed(self, label: str) -> CompletedStage:
        """Returns a stage of the run as an input for further stages. Raises the errors of `path`."""
        self.path(label)
        return CompletedStage(_never, None, recorded=(label, self._row(label)["key"]))

    def has(self, label: str) -> bool:
        """Whether the study has a stage of this label."""
        return label in self._rows

    def arm(self, name: str | None) -> tuple[str, ArmConfig]:
        """Returns name and settings of an arm (None: the reference arm). Raises ConfigError for an unknown arm."""
        arms = {arm: self.config.arms[arm] for arm in self.config.evaluation.arms}
        name = name or primary_of(self.config)["arm"]
        if name not in arms:
            raise ConfigError(f"arm: got {name!r}; {suggest(name, arms)}")
        return name, arms[name]

    def weights(self, name: str) -> TrainedWeights | None:
        """Returns the trained weights or the ready adapter of an arm; None for an arm that uses the base model alone.

        Raises the errors of `training` and `path`.
        """
        arm = self.config.arms[name]
        if arm.recipe == "none":
            return TrainedWeights(Path(arm.adapter), is_adapter=True) if arm.adapter else None
        return TrainedWeights.open(self.path(self.training(name)))

    def training(self, name: str) -> str:
        """Returns the label of the stage whose result holds an arm's weights: train[...] or select[...].

        Raises DataError for an arm that is not trained.
        """
        training = training_of(self.config, name)
        if training is None or not self.has(training.stage):
            raise DataError(
                f"{self.folder}: arm {name} has no training in this run; name a trained arm, or finish the study first"
            )
        return training.stage

    def learning_rate(self, name: str) -> float:
        """Returns the learning rate of an arm's training. Raises the errors of `training` and `path`."""
        choice = self.path(self.training(name)) / CHOICE
        if choice.exists():
            return float(json.loads(choice.read_text(encoding="utf-8"))["value"])
        return float(resolved_trainer(self.config, name).learning_rate)

    def prompt(self, name: str) -> PromptConfig:
        """Returns the prompt of an arm at test: the study's prompt, or the prompt that the study chose for this arm."""
        label = f"select[{name}@prompt]"
        return chosen_prompt(self.path(label)) if self.has(label) else self.config.prompt

    def examples(self, name: str) -> list[Example]:
        """Returns the worked examples in the prompts of an arm; [] for an arm without examples."""
        own, choice = f"dataset[examples@{name}]", f"select[{name}@prompt]"
        folder = self.path(own) if self.has(own) else chosen_examples(self.path(choice)) if self.has(choice) else None
        return list(read_jsonl(folder / EXAMPLES, Example)) if folder else []

    def training_set(self, name: str) -> str:
        """Returns the label of the stage that made the training set of an arm. Raises the errors of `training`."""
        self.training(name)
        return f"dataset[{datasets(self.config)[name]}]"

    @cached_property
    def results(self) -> Results:
        """The contents of results.json."""
        results: Results = json.loads((self.path("report") / "results.json").read_text(encoding="utf-8"))
        return results

    def _row(self, label: str) -> PlanRow:
        if label not in self._rows:
            raise DataError(f"{self.folder}: the study has no stage {label}; {suggest(label, self._rows)}")
        return self._rows[label]


def _never(*_: object, **__: object) -> None:
    raise AssertionError("a finished stage does not run again")


def read_store(folder: Path) -> str:
    """Returns the setting `store` in config.yaml of a run folder; "" if this file is missing or cannot be read."""
    with contextlib.suppress(OSError, yaml.YAMLError, AttributeError):
        return str(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")).get("store", ""))
    return ""


def read_config(folder: Path) -> Config:
    """Returns the settings in config.yaml of a run folder.

    Raises DataError for a missing or unreadable file, ConfigError for settings of another version of raft_exp.
    """
    file = folder / "config.yaml"
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}; name the folder of a run") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read ({' '.join(str(error).split())}); name the folder of a run") from error
    if not isinstance(values, dict):
        raise DataError(f"{file}: holds no settings; name the folder of a run")
    try:
        return _parsed(values)
    except ConfigError as error:
        raise ConfigError(
            f"{file} is of another version of raft_exp ({error}); run the study again and name its new folder"
        ) from error


def _parsed(values: dict[str, object]) -> Config:
    """Parses the settings of a run. Settings that were added after the run get their shipped values."""
    shipped: object = None
    values = with_new_names(values)
    while True:
        try:
            return parse(values)
        except ConfigError as error:
            missing = re.findall(r"([\w.]+): has no value", str(error))
            shipped = shipped or _shipped()
            if not missing or not all(_fill(values, shipped, place.split(".")) for place in missing):
                raise


def _shipped() -> object:
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return OmegaConf.to_container(compose("config"), resolve=True)


def _fill(values: object, shipped: object, place: list[str]) -> bool:
    """Sets the missing setting `place` of `values` to its value in `shipped`.

    Returns False if `shipped` lacks the setting, or if one of the two lacks a group above it.
    """
    *parents, name = place
    for parent in parents:
        if not isinstance(values, dict) or not isinstance(shipped, dict):
            return False
        if parent not in values or parent not in shipped:
            return False
        values, shipped = values[parent], shipped[parent]
    if not isinstance(values, dict) or not isinstance(shipped, dict) or name not in shipped:
        return False
    values[name] = shipped[name]
    return True


def _read_plan(folder: Path) -> list[PlanRow]:
    file = folder / "plan.json"
    try:
        rows: list[PlanRow] = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"{folder}: no plan.json there; name the folder of a finished run, such as runs/quickstart/TIME"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}); name the folder of a finished run") from error
    if not rows:
        raise DataError(f"{file}: lists no stage; name the folder of a finished run")
    return rows


def _stage_name(label: str) -> str:
    return label.partition("[")[0]
