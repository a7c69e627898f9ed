"""Launches the jobs of a sweep, and shows them in a table. A job that fails does not stop the other jobs."""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from raft_exp.apps.hydra_errors import explained
from raft_exp.core.errors import RaftError
from raft_exp.core.files import write_atomically
from raft_exp.core.plan import PlanRow
from raft_exp.evaluation.results import Results
from raft_exp.pipeline.estimate import describe_expected

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.plugins.launcher import Launcher
    from hydra.types import HydraContext
    from omegaconf import DictConfig
    from rich.table import Table

# Prefixes of overrides that concern the sweep itself and not its studies.
_OF_THE_SWEEP = ("sweep=", "launcher=", "hydra.", "hydra/")
_FINISHED = {"ran", "reused"}


@dataclass(frozen=True)
class Job:
    """One study of a sweep, read from its run folder."""

    number: int
    overrides: list[str]
    folder: Path
    error: str  # the reason of a failure, else ""

    @property
    def status(self) -> str:
        """The outcome: `done`, `planned` (for a dry run) or `failed`."""
        statuses = {row["status"] for row in _plan(self.folder)}
        if self.error or not statuses:
            return "failed"
        return "done" if statuses <= _FINISHED else "planned"

    @property
    def is_finished(self) -> bool:
        """Whether the job is done, and was not a preview."""
        return self.status == "done" and not study_setting(self.folder, "preview")

    @property
    def figure(self) -> str:
        """The first metric of the reference arm in percent, with its interval; "" unless the job is done."""
        results = _results(self.folder)
        if self.status != "done" or not results:
            return ""
        figure = results["arms"][results["reference"]]["metrics"][results["metrics"][0]]
        return f"{100 * figure['value']:.1f} ({100 * figure['low']:.1f}-{100 * figure['high']:.1f})"

    @property
    def figure_name(self) -> str:
        """The arm and the metric of `figure`, for example `raft accuracy`; "" without results."""
        results = _results(self.folder)
        return f"{results['reference']} {results['metrics'][0].replace('_', ' ')}" if results else ""


def composition_error(context: "HydraContext", config: "DictConfig", overrides: Sequence[str]) -> str:
    """Returns the error message for overrides that Hydra cannot compose, else ""."""
    from hydra.errors import HydraException

    try:
        context.config_loader.load_sweep_config(config, list(overrides))
    except HydraException as error:
        return f"ConfigError: {explained(error)}"
    return ""


def launch(
    context: "HydraContext", launcher: "Launcher", config: "DictConfig", batch: Sequence[Sequence[str]], first: int
) -> list[Job]:
    """Runs a batch of jobs with Hydra's launcher. `batch`: overrides of each job. `first`: number of the first job."""
    folders = [_folder(context, config, overrides, first + place) for place, overrides in enumerate(batch)]
    try:
        returns: Sequence[JobReturn] = launcher.launch(batch, initial_job_idx=first)
        errors = [_failure(returned) for returned in returns]
    except Exception as error:  # a launcher that loses a job returns nothing: look for finished jobs in the run folders
        lost = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        errors = ["" if _is_finished(folder) else f"the launcher lost this job ({lost})" for folder in folders]
    rows = zip(batch, folders, errors, strict=True)
    return [
        Job(number, list(overrides), folder, error) for number, (overrides, folder, error) in enumerate(rows, first)
    ]


def _folder(context: "HydraContext", config: "DictConfig", overrides: Sequence[str], number: int) -> Path:
    from omegaconf import OmegaConf, open_dict

    composed = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(composed):
        composed.hydra.job.id = composed.hydra.job.num = number
    return Path(str(OmegaConf.select(composed, "hydra.sweep.dir"))) / str(
        OmegaConf.select(composed, "hydra.sweep.subdir")
    )


def _failure(returned: "JobReturn") -> str:
    """Returns the error message of a failed job, else "". Prints the traceback of an error that the user cannot fix."""
    if returned.status.name == "COMPLETED":
        return ""
    error = returned._return_value
    if not isinstance(error, RaftError):
        traceback.print_exception(error, file=sys.stderr)
    return f"{type(error).__name__}: {error}"


def _is_finished(folder: Path) -> bool:
    plan = _plan(folder)
    return bool(plan) and {row["status"] for row in plan} <= _FINISHED


def _plan(folder: Path) -> list[PlanRow]:
    """Returns the rows of plan.json; [] without a readable file."""
    try:
        rows: list[PlanRow] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return rows


def study_setting(folder: Path, name: str) -> object:
    """Returns a setting of the study in a run folder; "" if config.yaml cannot be read."""
    try:
        values = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return ""
    return values.get(name, "") if isinstance(values, dict) else ""


def _results(folder: Path) -> Results | None:
    """Returns the contents of results.json; None without a readable file."""
    try:
        results: Results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return results


def write_summary(folder: Path, jobs: Sequence[Job]) -> None:
    """Writes sweep.json: the jobs with their outcomes. An unfinished sweep does not have this file."""
    rows = []
    for job in jobs:
        place = os.path.relpath(job.folder, folder)
        rows.append({"job": job.number, "folder": place, "status": job.status, "overrides": job.overrides})
    write_atomically(folder / "sweep.json", json.dumps(rows, indent=1))


def describe_planned(jobs: Sequence[Job]) -> str:
    """Describes the expected time of a sweep with dry_run; "" for other sweeps. Stages shared by jobs count once."""
    rows = {row["key"]: row for job in jobs for row in _plan(job.folder) if "expected" in row}
    return describe_expected([(row["stage"], row["expected"]) for row in rows.values()]) if rows else ""


def study_overrides(overrides: Sequence[str]) -> list[str]:
    """Returns the overrides that concern the study. The overrides of the sweep are left out."""
    return [override for override in overrides if not override.lstrip("+~").startswith(_OF_THE_SWEEP)]


def varied_settings(jobs: Sequence[Job]) -> list[str]:
    """Returns the settings in which the jobs differ, in the order of the overrides."""
    settings = [dict(_setting(override) for override in study_overrides(job.overrides)) for job in jobs]
    names = dict.fromkeys(name for values in settings for name in values)
    return [name for name in names if len({values.get(name) for values in settings}) > 1]


def _setting(override: str) -> tuple[str, str]:
    name, _, value = override.partition("=")
    return name.lstrip("+"), value


def table(jobs: Sequence[Job]) -> "Table":
    """Returns a table with one row per job: its varied settings, its status, and its first metric or its error."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    names = varied_settings(jobs)
    figure_names = {job.figure_name for job in jobs} - {""}
    rows = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("job", *names, "status", figure_names.pop() if len(figure_names) == 1 else "figure"):
        rows.add_column(Text(title))
    for job in jobs:
        settings = dict(_setting(override) for override in job.overrides)
        cells = (str(job.number), *(settings.get(name, "") for name in names), job.status, job.figure or job.error)
        rows.add_row(*map(Text, cells))
    return rows
