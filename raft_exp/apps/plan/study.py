"""The study of a plan, from the settings of a run folder or of a command line."""

import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from raft_exp.core.errors import ConfigError
from raft_exp.core.stage import Stage
from raft_exp.pipeline.build import build
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.converted import conversions
from raft_exp.pipeline.estimate import ExpectedSeconds
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.run import read_config
from raft_exp.pipeline.store import Store, open_store


@dataclass(frozen=True)
class PlannedStudy:
    """A study with its stages. `run`: the run folder of the plan; None if the plan is made from settings."""

    config: Config
    stages: list[Stage]
    store: Store
    run: Path | None
    expected: ExpectedSeconds

    def named(self, name: str) -> list[Stage]:
        """Returns the stages whose name is `name` (such as train), in order."""
        return [stage for stage in self.stages if stage.name == name]

    def missing(self, name: str) -> list[Stage]:
        """Returns the stages whose name is `name`, and whose results the store does not have."""
        return [stage for stage in self.named(name) if self.store.look(stage).status == "planned"]

    def labelled(self, label: str) -> Stage | None:
        """Returns the stage with this label; None if the study has no such stage."""
        return next((stage for stage in self.stages if stage.label == label), None)


def open_study(words: Sequence[str]) -> PlannedStudy:
    """Returns the study of a run folder, or of settings. `words`: one folder, or settings as for `python -m raft_exp`.

    Raises ConfigError or DataError for an invalid folder or setting.
    """
    folders = [word for word in words if "=" not in word and not word.startswith(("+", "~", "-"))]
    if not folders:
        return _planned(_composed(list(words)), None)
    if len(words) > 1:
        raise ConfigError(
            f"RUN|SETTING: got the folder {folders[0]!r} together with other arguments; give one run folder, or only "
            "settings"
        )
    if not Path(folders[0]).is_dir():
        raise ConfigError(
            f"RUN|SETTING: got {folders[0]!r}, but there is no such folder; name a run folder, or settings such "
            "as +experiment=pubmedqa"
        )
    run = Path(folders[0])
    config = read_config(run)
    return _planned(replace(config, store=str(_store_of(run, config))), run)


def _store_of(run: Path, config: Config) -> Path:
    """Returns the store of a run: from the absolute paths in plan.json, else from the settings."""
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError, TypeError):
        return Path(json.loads((run / "plan.json").read_text(encoding="utf-8"))[0]["path"]).parents[1]
    return Path(config.store)


def _planned(config: Config, run: Path | None) -> PlannedStudy:
    store = open_store(config.store, config.local_store)
    fingerprints = Fingerprints(store, save=False)
    stages = [*conversions(config, fingerprints), *build(config, fingerprints)]
    return PlannedStudy(config, stages, store, run, ExpectedSeconds(store.root))


def _composed(words: list[str]) -> Config:
    """Returns the settings of a command line. Raises ConfigError for an invalid setting."""
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from raft_exp.apps.hydra_errors import explained
    from raft_exp.apps.yaml_errors import explained_yaml, with_place
    from raft_exp.core import secrets
    from raft_exp.pipeline.parsing import parse

    if several := [word for word in words if word in ("-m", "--multirun")]:
        raise ConfigError(f"{several[0]}: a plan is about one study; remove -m, and give each setting one value")
    secrets.check_arguments(words)
    try:
        values, choices = _values(words)
    except (HydraException, OmegaConfBaseException) as error:
        if match := re.search(r"Ambiguous value for argument '(.*)'", str(error)):
            raise ConfigError(
                f"{match[1]}: got several values, but a plan is about one study; give one value; write a list as [a,b]"
            ) from error
        raise explained(error) from error
    except (yaml.YAMLError, ValueError) as error:  # Hydra raises ValueError for defaults that are no list
        if own := explained_yaml(error):
            raise own from error
        raise
    try:
        config = parse(values)
        secrets.check_settings(values)
    except ConfigError as error:
        raise with_place(error, choices, words) from error
    return config


def _values(words: list[str]) -> tuple[dict[str, object], dict[str, object]]:
    """Returns the values of a study, and the chosen option of each group."""
    from hydra import compose, initialize_config_dir
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.plugins import Plugins
    from omegaconf import open_dict

    from raft_exp.apps.cli import OwnConf, resolved
    from raft_exp.apps.experiments import with_experiment
    from raft_exp.apps.group_arguments import with_group_names
    from raft_exp.apps.path_arguments import with_quoted_paths
    from raft_exp.pipeline.config import conf_dir

    Plugins.instance().register(OwnConf)
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        composed = compose(
            "config", with_experiment(with_group_names(with_quoted_paths(words))), return_hydra_config=True
        )
    HydraConfig.instance().set_config(composed)  # `resolved` reads the chosen options
    choices = dict(composed.hydra.runtime.choices)
    with open_dict(composed):
        composed.pop("hydra")
    return resolved(composed), choices
