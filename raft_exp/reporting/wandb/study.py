"""A study that logs to W&B: its settings, and the sweep that it belongs to.

Environment variables and secrets are never sent: settings contain only the names of environment variables.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from raft_exp.reporting.wandb.config import CsvConfig, LoggerConfig, WandbConfig

_NOTE = "tracking.json"  # in the run folder: for stages in a process of their own


@dataclass(frozen=True)
class WandbStudy:
    """A study that logs to W&B.

    `settings`: the resolved config. `given`: dotted name -> value, for the settings of the job's command line; W&B can
    use these settings as axes of plots.
    """

    logger: WandbConfig
    study: str
    settings: Mapping[str, object]
    folder: Path  # the run folder
    sweep: str = ""  # the name of the sweep's folder; "" outside a sweep
    given: Mapping[str, object] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The W&B group: the sweep for all its jobs, else the study."""
        return self.sweep or self.study


def study_of(values: Mapping[str, object], run: Path) -> WandbStudy | None:
    """Returns the study of a resolved config and run folder; None if the study does not log to W&B."""
    # pydantic's strict mode accepts a mapping as a nested dataclass only in JSON
    logger: CsvConfig | WandbConfig = TypeAdapter(LoggerConfig).validate_json(json.dumps(values["logger"]))
    if not isinstance(logger, WandbConfig):
        return None
    noted = json.loads((run / _NOTE).read_text(encoding="utf-8")) if was_logged(run) else {}
    return WandbStudy(logger, str(values["study"]), values, run, **noted)


def write_note(study: WandbStudy | None, overrides: Sequence[str], sweep: str) -> None:
    """Writes the sweep and the settings of the command line to the run folder, because config.yaml lacks them.

    Does nothing if `study` is None. `overrides`: the arguments of the command line.
    """
    if study:
        note = {"sweep": sweep, "given": dict(_given(overrides, study.settings))}
        (study.folder / _NOTE).write_text(json.dumps(note), encoding="utf-8")


def was_logged(run: Path) -> bool:
    """Whether the run logged to W&B."""
    return (run / _NOTE).exists()


def _given(overrides: Sequence[str], values: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for override in overrides:
        name = override.lstrip("+").partition("=")[0]
        value: object = values
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if "." in name and isinstance(value, str | int | float):  # other values cannot be on an axis
            yield name, value
