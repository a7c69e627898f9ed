"""The jobs of a sweep: launched so that one that fails, or is lost, leaves the others alone; told in one table."""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raft_exp.apps.hydra_errors import explained
from raft_exp.core.errors import RaftError
from raft_exp.core.files import write_atomically
from raft_exp.pipeline.estimate import describe_expected

if TYPE_CHECKING:
    from rich.table import Table

# What an override says about the sweep itself, not about one of its studies.
_OF_THE_SWEEP = ("sweep=", "launcher=", "hydra.", "hydra/")
_FULL = {"ran", "reused"}


@dataclass(frozen=True)
class Job:
    """One study of a sweep, as its run folder tells it."""

    number: int
    overrides: list[str]
    folder: Path
    error: str  # why it failed; "" where it did not

    @property
    def status(self) -> str:
        """`done`, `planned` (of a dry run) or `failed`."""
        found = {row["status"] for row in _read(self.folder / "plan.json") or []}
        if self.error or not found:
            return "failed"
        return "done" if found <= _FULL else "planned"

    @property
    def figure(self) -> str:
        """The first metric of the reference arm, with its interval, in percent."""
        results = _read(self.folder / "results.json")
        if self.status != "done" or not results:
            return ""
        found = results["arms"][results["reference"]]["metrics"][results["metrics"][0]]
        low, high, value = (f"{100 * found[name]:.1f}" for name in ("low", "high", "value"))
        return f"{value} ({low}-{high})"

    @property
    def measured(self) -> str:
        """What `figure` is of: `raft accuracy`."""
        results = _read(self.folder / "results.json")
        return f"{results['reference']} {results['metrics'][0].replace('_', ' ')}" if results else ""


def composes(context: Any, config: Any, overrides: Sequence[str]) -> str:
    """Why a job cannot be composed at all; "" where it can."""
    from hydra.errors import HydraException

    try:
        context.config_loader.load_sweep_config(config, list(overrides))
    except HydraException as error:
        return f"ConfigError: {explained(error)}"
    return ""


def launch(context: Any, launcher: Any, config: Any, batch: Sequence[Sequence[str]], first: int) -> list[Job]:
    """Runs the jobs of a batch through Hydra's launcher; `first` is the number of its first job."""
    folders = [_folder(context, config, overrides, first + place) for place, overrides in enumerate(batch)]
    try:
        returns: Sequence[Any] = launcher.launch(batch, initial_job_idx=first)
        errors = [_problem(one) for one in returns]
    except Exception as error:  # a launcher that loses one job gives back none: their folders tell
        lost = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        errors = ["" if _whole(folder) else f"lost by the launcher ({lost})" for folder in folders]
    made = zip(batch, folders, errors, strict=True)
    return [Job(first + place, list(given), folder, error) for place, (given, folder, error) in enumerate(made)]


def _folder(context: Any, config: Any, overrides: Sequence[str], number: int) -> Path:
    from omegaconf import OmegaConf, open_dict

    composed = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(composed):
        composed.hydra.job.id = composed.hydra.job.num = number
    return Path(str(OmegaConf.select(composed, "hydra.sweep.dir"))) / str(
        OmegaConf.select(composed, "hydra.sweep.subdir")
    )


def _problem(returned: Any) -> str:
    """Why a job failed. A mistake of ours is shown whole: nobody else sees it, as the sweep goes on."""
    if returned.status.name == "COMPLETED":
        return ""
    error = returned._return_value
    if not isinstance(error, RaftError):
        traceback.print_exception(error, file=sys.stderr)
    return f"{type(error).__name__}: {error}"


def _whole(folder: Path) -> bool:
    plan = _read(folder / "plan.json")
    return bool(plan) and {row["status"] for row in plan} <= _FULL


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def note(folder: Path, jobs: Sequence[Job]) -> None:
    """Writes sweep.json, which says that the sweep came to its end, and how each job did."""
    rows = []
    for job in jobs:
        place = os.path.relpath(job.folder, folder)
        rows.append({"job": job.number, "folder": place, "status": job.status, "overrides": job.overrides})
    write_atomically(folder / "sweep.json", json.dumps(rows, indent=1))


def expected(jobs: Sequence[Job]) -> str:
    """What a sweep that was only planned will take: a stage that several jobs share is made once. "" for any other."""
    rows = {row["key"]: row for job in jobs for row in _read(job.folder / "plan.json") or [] if "expected" in row}
    return describe_expected([(row["stage"], row["expected"]) for row in rows.values()]) if rows else ""


def own(overrides: Sequence[str]) -> list[str]:
    """The overrides that say something about a study, without those about the sweep."""
    return [one for one in overrides if not one.lstrip("+~").startswith(_OF_THE_SWEEP)]


def swept(jobs: Sequence[Job]) -> list[str]:
    """The settings in which the jobs differ, in their order."""
    given = [dict(_setting(one) for one in own(job.overrides)) for job in jobs]
    names = dict.fromkeys(name for settings in given for name in settings)
    return [name for name in names if len({settings.get(name) for settings in given}) > 1]


def _setting(override: str) -> tuple[str, str]:
    name, _, value = override.partition("=")
    return name.lstrip("+"), value


def table(jobs: Sequence[Job]) -> "Table":
    """One row a job: what it was given, how it ended, and its first figure."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    names = swept(jobs)
    measured = {job.measured for job in jobs} - {""}
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("job", *names, "status", measured.pop() if len(measured) == 1 else "figure"):
        shown.add_column(Text(title))
    for job in jobs:
        given = dict(_setting(one) for one in job.overrides)
        cells = (str(job.number), *(given.get(name, "") for name in names), job.status, job.figure or job.error)
        shown.add_row(*map(Text, cells))
    return shown
