"""Composes the shipped configs in tests as the command line does."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from raft_exp.pipeline.arms import with_arm_files
from raft_exp.pipeline.config import conf_dir
from raft_exp.pipeline.transfer_files import with_transfer_files
from raft_exp.pipeline.wordings import with_wording_files


def compose(*overrides: str, own: Path | None = None) -> dict[str, Any]:
    """Returns the resolved values, with the arms and wordings that they name.

    `own` is a user's folder `conf`, where `apps.cli.OwnConf` has added it to Hydra's search path.
    """
    folders = [conf_dir(), *([own] if own else [])]
    named = with_arm_files(deepcopy(_composed(conf_dir(), overrides)), folders)
    return with_transfer_files(with_wording_files(named, folders), folders)


@cache
def _composed(conf: Path, overrides: tuple[str, ...]) -> dict[str, Any]:
    with initialize_config_dir(str(conf), version_base="1.3"):
        values = OmegaConf.to_container(hydra_compose("config", overrides=list(overrides)), resolve=True)
    assert isinstance(values, dict)
    return {str(name): value for name, value in values.items()}
