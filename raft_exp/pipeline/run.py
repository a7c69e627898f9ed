"""A finished run, read from its folder: its settings, and where in the store its results stand."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from raft_exp.core.errors import ConfigError, DataError, StoreError, suggest
from raft_exp.core.stage import Stage
from raft_exp.models.trained_weights import TrainedWeights
from raft_exp.pipeline.config import ArmConfig, Config, conf_dir, parse, with_new_names
from raft_exp.pipeline.store import Store


@dataclass(frozen=True)
class CompletedStage(Stage):
    """A stage that has run before: other stages are built on its result, whatever became of its inputs since."""

    noted: tuple[str, str] = ("", "")  # its label and its key, as the run noted them

    def __post_init__(self) -> None:
        """Its inputs are not asked for again."""

    @property
    def name(self) -> str:
        """The kind of stage."""
        return _room(self.noted[0])

    @property
    def label(self) -> str:
        """The name in the run's study."""
        return self.noted[0]

    @property
    def key(self) -> str:  # type: ignore[override]
        """The key that the run noted."""
        return self.noted[1]


class FinishedRun:
    """What a run folder holds. `store` says where the store stands now, where it was moved."""

    def __init__(self, folder: Path, store: str | None = None) -> None:
        self.folder = folder
        self._rows = {row["stage"]: row for row in _read_plan(folder)}
        self._store = Path(store).absolute() if store else None

    @cached_property
    def config(self) -> Config:
        """The settings of the study."""
        file = self.folder / "config.yaml"
        try:
            values = yaml.safe_load(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"{file}: {error.strerror}; name the folder of a finished run") from error
        try:
            return _parsed(values)
        except ConfigError as error:
            raise ConfigError(
                f"{file} is of another version of raft_exp ({error}); run the study again and name its new folder"
            ) from error

    @cached_property
    def store(self) -> Store:
        """The store that holds the run's results."""
        return Store(self._store or Path(next(iter(self._rows.values()))["path"]).parents[1])

    def path(self, label: str) -> Path:
        """The result of a stage. Raises DataError where it has not run, StoreError where its result is gone."""
        row = self._row(label)
        if row["status"] not in ("ran", "reused"):
            raise DataError(
                f"{self.folder}: {label} is {row['status']}; finish the study first, with the command that began it"
            )
        folder = self.store.root / _room(label) / str(row["key"])
        if not (folder / "manifest.json").is_file():
            raise StoreError(
                f"{folder} is not there; where the store was moved name it with store=PATH, else run the study again"
            )
        return folder

    def made(self, label: str) -> CompletedStage:
        """The stage, to build others on."""
        self.path(label)

        def never(*_: Any, **__: Any) -> None:
            raise AssertionError(f"{label} has been made")

        return CompletedStage(never, None, noted=(label, self._row(label)["key"]))

    def has(self, label: str) -> bool:
        """Whether the study has such a stage."""
        return label in self._rows

    def arm(self, name: str | None) -> tuple[str, ArmConfig]:
        """The arm of that name; without one the study's reference arm. Raises ConfigError for an unknown one."""
        from raft_exp.evaluation.scoring.figures import reference_arm

        arms = {known: self.config.arms[known] for known in self.config.evaluation.arms}
        name = name or reference_arm({known: {"recipe": arm.recipe} for known, arm in arms.items()})
        if name not in arms:
            raise ConfigError(f"arm: got {name!r}; {suggest(name, arms)}")
        return name, arms[name]

    def weights(self, name: str) -> TrainedWeights | None:
        """The trained weights of an arm; None for the base model itself."""
        arm = self.config.arms[name]
        if arm.recipe == "none":
            return TrainedWeights(Path(arm.adapter), is_adapter=True) if arm.adapter else None
        return TrainedWeights.open(self.path(self.training(name)))

    def training(self, name: str) -> str:
        """The label of the stage that trained an arm: its own, or that of its recipe."""
        found = [f"train[{one}]" for one in (name, self.config.arms[name].recipe) if self.has(f"train[{one}]")]
        if not found:
            raise DataError(f"{self.folder}: arm {name} was not trained in it; finish the study first")
        return found[0]

    @cached_property
    def results(self) -> dict[str, Any]:
        """The figures of the report."""
        found: dict[str, Any] = json.loads((self.path("report") / "results.json").read_text(encoding="utf-8"))
        return found

    def _row(self, label: str) -> dict[str, Any]:
        if label not in self._rows:
            raise DataError(f"{self.folder}: the study has no stage {label}; {suggest(label, self._rows)}")
        row: dict[str, Any] = self._rows[label]
        return row


def _parsed(values: dict[str, Any]) -> Config:
    """The settings; those that are younger than the run have their shipped values, under which nothing changed."""
    shipped: Any = None
    values = with_new_names(values)
    while True:
        try:
            return parse(values)
        except ConfigError as error:
            missing = re.findall(r"([\w.]+): has no value", str(error))
            shipped = shipped or _shipped()
            if not missing or not all(_fill(values, shipped, place.split(".")) for place in missing):
                raise


def _shipped() -> Any:
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return OmegaConf.to_container(compose("config"), resolve=True)


def _fill(values: Any, shipped: Any, place: list[str]) -> bool:
    """Puts a shipped value where there is none; whether there is one."""
    *parents, name = place
    for parent in parents:
        if not isinstance(values, dict) or parent not in values or parent not in shipped:
            return False
        values, shipped = values[parent], shipped[parent]
    if not isinstance(values, dict) or not isinstance(shipped, dict) or name not in shipped:
        return False
    values[name] = shipped[name]
    return True


def _read_plan(folder: Path) -> list[dict[str, Any]]:
    file = folder / "plan.json"
    try:
        rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"{folder}: no plan.json there; name the folder of a finished run, such as runs/quickstart/TIME"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}); name the folder of a finished run") from error
    if not rows:
        raise DataError(f"{file}: names no stage; name the folder of a finished run")
    return rows


def _room(label: str) -> str:
    return label.partition("[")[0]
