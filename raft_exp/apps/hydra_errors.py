"""Hydra's own errors in our form."""

import re
from pathlib import Path

from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.pipeline.config import conf_dir, unknown_key

_RENAMED = {("trainer", "slurm"): "srun"}  # (group, old option) -> today's
_LAUNCHERS = "pip install 'raft_exp[launchers]'"
_INSTALL = {
    "joblib": _LAUNCHERS,
    "submitit_local": _LAUNCHERS,
    "submitit_slurm": _LAUNCHERS,
    "ray": "pip install 'raft_exp[ray]' and then pip install --no-deps hydra-ray-launcher==1.2.2",
}


def explained(error: Exception) -> ConfigError:
    """One line: the setting, what it got, what it may be."""
    text = " ".join(str(error).split())
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, option = error.missing_cfg_file.rpartition("/")
        if group == "hydra/launcher" and option in _INSTALL:
            return ConfigError(f"launcher: {option!r} is not installed; {_INSTALL[option]}, or leave it out")
        if new := _RENAMED.get((group, option)):
            return ConfigError(f"{group}: {option!r} is called {new!r} now; use {group}={new}")
        return ConfigError(f"{group}: got {option!r}; {suggest(option, error.options)}")
    if isinstance(error, MissingConfigException) and (error.missing_cfg_file or "").startswith("experiment/"):
        name = str(error.missing_cfg_file).removeprefix("experiment/")  # one of several, of which Hydra names no others
        return ConfigError(f"experiment: got {name!r}; {suggest(name, _experiments())}")
    if isinstance(error, OverrideParseException):
        given = error.override or (found[1] if (found := re.search(r"input '(.*)' See", text)) else text)
        return ConfigError(
            f"{given!r}: cannot be read as setting=value; what holds blanks, braces or brackets stands in quotes as a "
            "whole: 'dataset.mixed={random: 0.5, bm25: 0.5}'"
        )
    if found := re.search(r"To append to your default list use (\S+)", text):
        return ConfigError(
            f"{found[1].lstrip('+').partition('=')[0]}: not chosen in the default study; write {found[1]}"
        )
    if isinstance(error, ConfigCompositionException) and (found := re.search(r"Could not override '([\w.]+)'", text)):
        if found[1].startswith("hydra."):
            return ConfigError(
                f"{found[1]}: no such setting; those of Hydra, of the sweep and of the launcher that are chosen are "
                "shown by --cfg hydra"
            )
        return ConfigError(unknown_key(found[1]))
    if found := re.search(r"Missing mandatory value: (\S+)", text):
        return ConfigError(f"{found[1]}: has no value; set {found[1]}=...")
    return ConfigError(text)


def _experiments() -> list[str]:
    folders = [conf_dir() / "experiment", Path.cwd() / "conf" / "experiment"]
    return [
        file.relative_to(folder).with_suffix("").as_posix() for folder in folders for file in folder.rglob("*.yaml")
    ]
