"""Composes the shipped configs in tests as the command line does."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import DictConfig, OmegaConf

from raft_exp.pipeline.arms import with_arm_files
from raft_exp.pipeline.config import conf_dir
from raft_exp.pipeline.transfer_files import with_transfer_files
from raft_exp.pipeline.wordings import with_wording_files

_FILES: dict[Path, ConfigResult] = {}


def compose(*overrides: str, own: Path | None = None) -> dict[str, Any]:
    """Returns the resolved values, with the arms and wordings that they name.

    `own` is a user's folder `conf`, where `apps.cli.OwnConf` has added it to Hydra's search path.
    """
    if own:
        return _with_files(_composed(conf_dir(), overrides), [conf_dir(), own])
    return deepcopy(_shipped(conf_dir(), overrides))


@cache
def _shipped(conf: Path, overrides: tuple[str, ...]) -> dict[str, Any]:
    return _with_files(_composed(conf, overrides), [conf])


def _with_files(composed: dict[str, Any], folders: list[Path]) -> dict[str, Any]:
    named = with_arm_files(deepcopy(composed), folders)
    return with_transfer_files(with_wording_files(named, folders), folders)


@cache
def _composed(conf: Path, overrides: tuple[str, ...]) -> dict[str, Any]:
    chosen, changes = _split(conf, overrides)
    config = deepcopy(_of_files(conf, chosen))
    ConfigLoaderImpl._apply_overrides_to_config(changes, config)
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    return {str(name): value for name, value in values.items()}


def _split(conf: Path, overrides: tuple[str, ...]) -> tuple[tuple[str, ...], list[Override]]:
    """Returns the overrides that choose files, and those that change values. Hydra applies the latter last."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    changes = [
        each
        for each in parsed
        if each.package is None
        and not each.is_sweep_override()
        and not each.is_hydra_override()
        and not (conf / each.key_or_group).is_dir()
    ]
    return tuple(line for line, each in zip(overrides, parsed, strict=True) if each not in changes), changes


@cache
def _of_files(conf: Path, overrides: tuple[str, ...]) -> DictConfig:
    with _each_file_read_once(), initialize_config_dir(str(conf), version_base="1.3"):
        return hydra_compose("config", overrides=list(overrides))


@contextmanager
def _each_file_read_once() -> Iterator[None]:
    """Hydra parses each shipped file once for all compositions: parsing takes a third of the time of one."""
    Plugins.instance()  # registers the classes that read files
    reader = SourcesRegistry.instance().resolve("file")
    read = reader.load_config

    def load_config(source: ConfigSource, config_path: str) -> ConfigResult:
        if Path(source.path) != conf_dir():
            return read(source, config_path)
        file = Path(source.path) / config_path
        if file not in _FILES:
            _FILES[file] = read(source, config_path)
        return deepcopy(_FILES[file])

    with patch.object(reader, "load_config", load_config):
        yield
