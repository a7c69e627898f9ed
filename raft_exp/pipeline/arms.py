"""Reads arms from YAML files: the arm `mine` from conf/arm/mine.yaml in any folder of Hydra's search path."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path

from omegaconf import OmegaConf

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.models.adapter_checks import check_adapter
from raft_exp.pipeline.config import ArmConfig

# The settings without a default, which every arm must have.
_SETTINGS = {
    setting.name for setting in fields(ArmConfig) if setting.default is MISSING and setting.default_factory is MISSING
}


def with_arm_files(values: Mapping[str, object], folders: Sequence[Path]) -> dict[str, object]:
    """Returns a study's settings `values` with the settings of all its arms under `arms`.

    The settings of an arm are read from arm/NAME.yaml in the first of `folders` that has this file. Settings under
    `arms` replace those of the file, for example `arms.sft.trainer.learning_rate=3e-4`. An arm with all settings under
    `arms` needs no file. Raises ConfigError for an arm that has neither a file nor settings.
    """
    arms, evaluation = values.get("arms") or {}, values.get("evaluation")
    names = evaluation.get("arms") if isinstance(evaluation, dict) else None
    if not isinstance(names, list) or not isinstance(arms, dict):
        return dict(values)  # `parse` reports the error
    arms = dict(arms)
    files = {file.stem: file for folder in reversed(folders) for file in sorted((folder / "arm").glob("*.yaml"))}
    from_files: dict[str, object] = {}
    for name in dict.fromkeys(map(str, [*names, *arms])):
        changes = arms.get(name, {})
        if name in arms and (name not in files or not isinstance(changes, dict) or set(changes) >= _SETTINGS):
            continue
        if name not in files:
            raise ConfigError(f"evaluation.arms: got {name!r}; {suggest(name, [*files, *arms])}")
        from_files[name] = OmegaConf.merge(OmegaConf.load(files[name]), changes)
    return {**values, "arms": {**arms, **_resolved(from_files, values)}}


def _resolved(arms: Mapping[str, object], values: Mapping[str, object]) -> dict[str, object]:
    """Returns the settings of arms. References to settings of the study (${dataset.cot}) are replaced by values."""
    study = OmegaConf.create({**values, "arms": arms})
    resolved = OmegaConf.to_container(study.arms, resolve=True)
    assert isinstance(resolved, dict)
    return {str(name): settings for name, settings in resolved.items()}


def adapter_files(name: str, folder: str | None) -> list[Path]:
    """Returns the two files of an arm's ready-made adapter in `folder`; [] for None.

    Raises ConfigError for a missing file, ModelError if adapter_config.json is damaged or has impossible values.
    """
    if folder is None:
        return []
    files = [Path(folder) / "adapter_config.json", Path(folder) / "adapter_model.safetensors"]
    if missing := [file for file in files if not file.is_file()]:
        raise ConfigError(
            f"arms.{name}.adapter: got {folder!r}; {missing[0]} is missing; name the folder of a PEFT adapter"
        )
    check_adapter(Path(folder))
    return files
