"""What W&B is told of a study: its settings, and the sweep that it is a job of.

Never sent: the environment, the command's surroundings, any secret (settings name environment variables; they hold no
keys).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from raft_exp.reporting.wandb.config import CsvConfig, LoggerConfig, WandbConfig

_NOTE = "tracking.json"  # in the run folder: for stages in a process of their own


@dataclass(frozen=True)
class WandbStudy:
    """A study that logs to W&B.

    `settings` is the resolved config; `given` are the settings that the job's command names, by their dotted names:
    W&B can put those on an axis.
    """

    logger: WandbConfig
    study: str
    settings: Mapping[str, Any]
    folder: Path  # the run folder
    sweep: str = ""  # the name of the sweep's folder; "" outside a sweep
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The W&B group: the jobs of a sweep stand together, whatever study each of them is."""
        return self.sweep or self.study


def study_of(values: Mapping[str, Any], run: Path) -> WandbStudy | None:
    """The study whose resolved config and run folder these are; None unless it logs to W&B."""
    # as JSON: pydantic's strict mode takes nested dicts for dataclasses only there
    logger: CsvConfig | WandbConfig = TypeAdapter(LoggerConfig).validate_json(json.dumps(values["logger"]))
    if not isinstance(logger, WandbConfig):
        return None
    noted = json.loads((run / _NOTE).read_text()) if was_logged(run) else {}
    return WandbStudy(logger, str(values["study"]), values, run, **noted)


def write_note(study: WandbStudy | None, overrides: Sequence[str], sweep: str) -> None:
    """Keeps in the run folder what its config.yaml does not say: the sweep, and the settings that the command names."""
    if study:
        note = {"sweep": sweep, "given": dict(_given(overrides, study.settings))}
        (study.folder / _NOTE).write_text(json.dumps(note))


def was_logged(run: Path) -> bool:
    """Whether the run logged to W&B."""
    return (run / _NOTE).exists()


def _given(overrides: Sequence[str], values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for override in overrides:
        name = override.lstrip("+").partition("=")[0]
        value: Any = values
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if "." in name and isinstance(value, str | int | float):  # others are no points of an axis
            yield name, value
