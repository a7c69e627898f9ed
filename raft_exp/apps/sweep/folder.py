"""Moves the folder of a sweep without results to `unfinished/`."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from raft_exp.apps.sweep.jobs import Job, study_setting
from raft_exp.core.screen import say
from raft_exp.pipeline.remote import is_remote
from raft_exp.pipeline.run_begin import UNFINISHED
from raft_exp.pipeline.run_folder import move
from raft_exp.pipeline.store import Store

_SHIPPED_NAME = re.compile(r"(sweep|search)_[\d_-]+")  # of a sweep's folder, in conf/


def put_away(folder: Path, jobs: Sequence[Job]) -> None:
    """Moves the folder of a sweep to `unfinished/` if its jobs all failed or were dry runs or previews.

    A folder with a name that the user chose is not moved.
    """
    if not _SHIPPED_NAME.fullmatch(folder.name) or any(job.is_finished for job in jobs):
        return
    place = folder.parents[1] / UNFINISHED / f"{folder.parent.name}_{folder.name}"
    move(folder, place, [(job.folder, Store(_local_store(job.folder))) for job in jobs])
    with contextlib.suppress(OSError):
        folder.parent.rmdir()  # if nothing else is there
    if jobs:
        say(f"no job of this sweep has results; the sweep's folder is {place}")


def _local_store(run: Path) -> str:
    """Returns the local folder of a run's store, which has the list of runs."""
    store = str(study_setting(run, "store"))
    return str(study_setting(run, "local_store")) if is_remote(store) else store
