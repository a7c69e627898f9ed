"""Runs the sweeps of the paper, and collects their finished runs."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from raft_exp.apps.paper.expected import PlannedSweep
from raft_exp.apps.plan.study import PlannedStudy
from raft_exp.core.errors import StoppedError
from raft_exp.core.plan import PlanRow
from raft_exp.reporting.paper.parts import PaperPart
from raft_exp.reporting.runs import open_runs

_DONE = {"ran", "reused"}


def is_finished(folder: Path, study: PlannedStudy) -> bool:
    """Whether a run folder has the results of `study`, made with equal settings, data and versions of the stages."""
    try:
        rows: list[PlanRow] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    found: Mapping[str, str] = {row["stage"]: row["key"] for row in rows if row["status"] in _DONE}
    wanted = {stage.label: stage.key for stage in study.stages}
    return (folder / "results.json").exists() and found == wanted


def unfinished(planned: PlannedSweep) -> list[Path]:
    """Returns the run folders of the unfinished jobs of a sweep."""
    pairs = zip(planned.job_folders(), planned.studies, strict=True)
    return [folder for folder, study in pairs if not is_finished(folder, study)]


def run(planned: PlannedSweep) -> int:
    """Runs a sweep in a separate process that prints to this terminal. Returns the exit status of the process.

    Raises StoppedError if a signal stopped the process.
    """
    process = subprocess.Popen([sys.executable, "-m", "raft_exp", *planned.sweep.arguments])
    try:
        status = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if status == StoppedError.status:
        raise StoppedError("a study was stopped; the same command resumes from here")
    return status


def part(planned: PlannedSweep) -> PaperPart:
    """Returns a sweep's part of the page: its finished runs, and the reason why runs or data are missing, if any."""
    sweep, lost = planned.sweep, unfinished(planned)
    finished = [folder for folder in planned.job_folders() if folder not in lost]
    runs = open_runs(finished)[0] if finished else []
    failure = sweep.failure or sweep.lack
    if lost:
        failure = f"{len(lost)} of {len(planned.studies)} runs are not finished; repeat the command"
    return PaperPart(sweep.study, sweep.corpus, runs, failure)
