"""`report=wandb`: a W&B Report of a study, or of a whole sweep, beside report.html.

The server is asked when a report is saved, and before it for the number of its project: without a login there is none.
"""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from raft_exp.core.errors import ConfigError, ServerError
from raft_exp.reporting.wandb import runs
from raft_exp.reporting.wandb.study import WandbStudy

log = logging.getLogger(__name__)

_EXTRA = "pip install 'raft_exp[wandb-report]'"
_PATIENCE = 10  # seconds for the server's first answer
_TITLE = 128  # letters, the most that W&B takes


def check(logger: Any) -> None:
    """Raises ConfigError for what is missing, as long as nothing has been computed."""
    if why := _missing(logger):
        raise ConfigError(f"report: got 'wandb', but {why}; report=html is written in any case")


def _missing(logger: Any) -> str:
    if logger.name != "wandb":
        return f"logger={logger.name} sends nothing to W&B; add logger=wandb"
    if find_spec("wandb_workspaces") is None:
        return f"wandb-workspaces is not installed; {_EXTRA}"
    if logger.mode == "offline":
        return "logger.mode=offline sends nothing to W&B; use logger.mode=auto"
    if not runs.has_key():
        return "there is no login; set WANDB_API_KEY or use `wandb login`"
    if logger.mode == "auto" and (said := runs.said_offline()):
        return f"WANDB_MODE={said} sends nothing to W&B; unset it"
    import wandb

    try:
        wandb.Api(timeout=_PATIENCE)
    except wandb.errors.Error as error:
        told = " ".join(str(error).split())[:300]
        return (
            f"W&B does not take the login or does not answer ({told}); check WANDB_API_KEY, WANDB_BASE_URL and network"
        )
    return ""


def publish(run: Any, study: WandbStudy, blocks: Callable[[], list[Any]]) -> None:
    """Saves a report of these blocks and says where it is; in one line why not, where that cannot be."""
    try:
        if run.offline:
            raise ServerError("the run is kept offline")
        print(f"W&B report: {_saved(run, study, blocks())}")
    except Exception as error:  # the study is done: nothing that a server says may end it now
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        log.warning("W&B report: not made (%s); the same command makes it later and computes nothing anew", told)
        log.info("where that was", exc_info=True)  # raft_exp.log has it


def _saved(run: Any, study: WandbStudy, blocks: list[Any]) -> str:
    import wandb_workspaces.reports.v2 as wr

    heading = f"{study.study} {study.sweep}".strip()[:_TITLE]
    report = wr.Report(entity=run.entity, project=run.project, title=heading, blocks=blocks, width="fixed")
    return str(report.save().url)
