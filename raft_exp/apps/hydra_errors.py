"""Rewrites errors of Hydra as ConfigErrors of one line."""

import re
from pathlib import Path

from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import GrammarParseError, InterpolationResolutionError, OmegaConfBaseException

from raft_exp.apps.group_arguments import setting_of
from raft_exp.apps.yaml_errors import line_with, missing_default
from raft_exp.core.errors import ConfigError, suggest
from raft_exp.pipeline.config import conf_dir
from raft_exp.pipeline.config_errors import unknown_key

_RENAMED = {("trainer", "slurm"): "srun"}  # (group, old option) -> new option
_LAUNCHERS = "pip install 'raft_exp[launchers]'"
_INSTALL = {
    "joblib": _LAUNCHERS,
    "submitit_local": _LAUNCHERS,
    "submitit_slurm": _LAUNCHERS,
    "ray": "pip install 'raft_exp[ray]' and then pip install --no-deps hydra-ray-launcher==1.2.2",
}


def explained(error: Exception) -> ConfigError:
    """Returns a ConfigError for an error of Hydra or OmegaConf, with the setting, its value and the valid values."""
    if not str(error) and isinstance(error.__cause__, OmegaConfBaseException):  # Hydra's own error has no message
        return explained(error.__cause__)
    text = " ".join(str(error).split())
    if own := missing_default(text):
        return own
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, option = error.missing_cfg_file.rpartition("/")
        if group == "hydra/launcher" and option in _INSTALL:
            return ConfigError(f"launcher: {option!r} is not installed; run {_INSTALL[option]}, or remove the launcher")
        if new := _RENAMED.get((group, option)):
            return ConfigError(f"{group}: {option!r} was renamed to {new!r}; use {group}={new}")
        return ConfigError(f"{setting_of(group)}: got {option!r}; {suggest(option, error.options)}")
    if isinstance(error, MissingConfigException) and (error.missing_cfg_file or "").startswith("experiment/"):
        name = str(error.missing_cfg_file).removeprefix("experiment/")  # Hydra's error does not list experiments
        return ConfigError(f"experiment: got {name!r}; {suggest(name, _experiments())}")
    if isinstance(error, OverrideParseException):
        override = error.override or (match[1] if (match := re.search(r"input '(.*)' See", text)) else text)
        return ConfigError(
            f"{override!r}: cannot be read as setting=value; put a word with spaces, braces or brackets in quotes: "
            "'dataset.mixed={random: 0.5, bm25: 0.5}'"
        )
    if match := re.search(r"To append to your default list use (\S+)", text):
        return ConfigError(
            f"{match[1].lstrip('+').partition('=')[0]}: is not set by default, so it cannot be replaced; "
            f"add it: {match[1]}"
        )
    if isinstance(error, ConfigCompositionException) and (match := re.search(r"Could not override '([\w.]+)'", text)):
        if match[1].startswith("hydra."):
            return ConfigError(
                f"{match[1]}: no such setting; --cfg hydra shows the settings of Hydra and of the chosen sweep and "
                "launcher"
            )
        return ConfigError(unknown_key(match[1], _option(error.__cause__, match[1])))
    if isinstance(error, InterpolationResolutionError | GrammarParseError):
        reason = (str(error).splitlines() or ["no viable alternative at input '${'"])[0].rstrip(".")
        place = f"{error.full_key}: " if error.full_key else ""
        if isinstance(error, GrammarParseError) and (line := line_with(str(error.full_key), "${")):
            place = f"{line}: {place}"
        return ConfigError(
            f"{place}{reason}; ${{NAME}} stands for another setting, and ${{oc.env:NAME}} for an environment "
            "variable; correct the name"
        )
    if match := re.search(r"Missing mandatory value: (\S+)", text):
        return ConfigError(f"{match[1]}: has no value; set {match[1]}=...")
    return ConfigError(text)


def _option(cause: BaseException | None, setting: str) -> object:
    """Returns the chosen option of the setting's group, such as corpus.name, from OmegaConf's error; "" if unknown."""
    group = cause.parent_node if isinstance(cause, OmegaConfBaseException) and cause.full_key == setting else None
    return group.get("name", "") if isinstance(group, DictConfig) else ""


def _experiments() -> list[str]:
    folders = [conf_dir() / "experiment", Path.cwd() / "conf" / "experiment"]
    return [
        file.relative_to(folder).with_suffix("").as_posix() for folder in folders for file in folder.rglob("*.yaml")
    ]
