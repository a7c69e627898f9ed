"""Arms by name: `evaluation.arms=[base,mine]` finds conf/arm/mine.yaml wherever Hydra searches for configs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from raft_exp.core.errors import ConfigError, suggest


def load(values: dict[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """Adds to `values["arms"]` the files of the arms that `evaluation.arms` names.

    Arms written out under `arms:` go before files of the same name. Raises ConfigError for an unknown one.
    """
    given = dict(values.get("arms") or {})
    wanted = (values.get("evaluation") or {}).get("arms")
    if not isinstance(wanted, list):
        return values  # parse says what is wrong with it
    known = {file.stem: file for folder in reversed(folders) for file in sorted((folder / "arm").glob("*.yaml"))}
    for name in map(str, wanted):
        if name in given:
            continue
        if name not in known:
            raise ConfigError(f"evaluation.arms: got {name!r}; {suggest(name, [*known, *given])}")
        # values of the study may stand in an arm's file: ${dataset.cot}
        study = OmegaConf.create({**values, "arms": {name: OmegaConf.load(known[name])}})
        given[name] = OmegaConf.to_container(study, resolve=True)["arms"][name]  # type: ignore[index,call-overload]
    return {**values, "arms": given}


def adapter_files(name: str, folder: str | None) -> list[Path]:
    """The files of the ready adapter that an arm names; [] where it names none. ConfigError where one is missing."""
    if folder is None:
        return []
    files = [Path(folder) / "adapter_config.json", Path(folder) / "adapter_model.safetensors"]
    if missing := [file for file in files if not file.is_file()]:
        raise ConfigError(f"arms.{name}.adapter: got {folder!r}; {missing[0]} is missing; name a PEFT adapter folder")
    return files
