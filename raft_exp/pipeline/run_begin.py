"""Begins a run in its folder, which may hold the files of an earlier run, and removes the folder of a refused run."""

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from raft_exp.core.screen import say

UNFINISHED = "unfinished"
CONFIG = "config.yaml"
_RESULTS = "results.json"
_LAST = "report"  # the stage that writes the figures
# Files and folders with figures of a run, or with their origin. Data sets, weights and exports are not removed.
_OF_RUN = (
    _RESULTS,
    "report.html",
    "report.md",
    "results.csv",
    "comparisons.csv",
    "audit.json",
    "timings.json",
    "provenance.json",
    "predictions",
    "transfer",
    "selection",
    "judge",
    "judge_pairs",
)


def begin(run: Path, values: Mapping[str, object]) -> None:
    """Writes the settings `values` of a run to its config.yaml, and removes the figures of an earlier run.

    Prints a line if these figures are not made again, because the run ends before its report.
    """
    if has_results(run) and (until := values.get("until", _LAST)) != _LAST:
        say(
            f"{run}: the report of an earlier command is removed, because until={until} ends before it; a command with "
            f"until={_LAST} makes it again from the store",
            error=True,
        )
    for name in _OF_RUN:
        path = run / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    write_config(run, values)


def write_config(run: Path, values: Mapping[str, object]) -> None:
    """Writes the settings of a run to its config.yaml."""
    (run / CONFIG).write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")


def has_results(run: Path) -> bool:
    """Whether a run folder holds the results of a finished run."""
    return (run / _RESULTS).exists()


def remove_refused(run: Path) -> None:
    """Removes the folder of a run that was refused before it began.

    Such a folder is in `unfinished/`, and holds only Hydra's record of the command and empty files such as the log. Any
    other folder stays unchanged.
    """
    files = (path for path in run.rglob("*") if path.is_file() and path.parent.name != ".hydra")
    if run.parent.name != UNFINISHED or any(file.stat().st_size for file in files):
        return
    shutil.rmtree(run, ignore_errors=True)
    for parent in (run.parent, run.parent.parent):
        with contextlib.suppress(OSError):
            parent.rmdir()  # if nothing else is there
