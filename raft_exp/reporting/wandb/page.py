"""`report=wandb`: saves a W&B Report of a study or of a whole sweep, in addition to report.html.

Saving a report needs a connection to the server and a login.
"""

import logging
from collections.abc import Callable
from importlib.util import find_spec

from raft_exp.core.errors import ConfigError, ServerError
from raft_exp.reporting.wandb.config import LoggerConfig, WandbConfig
from raft_exp.reporting.wandb.runs import WandbRun, has_key, offline_variable
from raft_exp.reporting.wandb.study import WandbStudy

log = logging.getLogger(__name__)

_EXTRA = "pip install 'raft_exp[wandb-report]'"
_TIMEOUT = 10  # seconds for the server's first answer
_TITLE = 128  # letters: W&B's limit


def check(logger: LoggerConfig) -> None:
    """Raises ConfigError if it is not possible to save a W&B Report. Commands call this before any computation."""
    if why := _missing(logger):
        raise ConfigError(f"report: got 'wandb', but {why}; or use report=html, which needs no W&B")


def _missing(logger: LoggerConfig) -> str:
    if not isinstance(logger, WandbConfig):
        return f"logger={logger.name} sends nothing to W&B; add logger=wandb"
    if find_spec("wandb_workspaces") is None:
        return f"wandb-workspaces is not installed; {_EXTRA}"
    if logger.mode == "offline":
        return "logger.mode=offline sends nothing to W&B; use logger.mode=auto"
    if not has_key():
        return "there is no login; set WANDB_API_KEY or run `wandb login`"
    if logger.mode == "auto" and (mode := offline_variable()):
        return f"WANDB_MODE={mode} sends nothing to W&B; unset it"
    import wandb

    try:
        wandb.Api(timeout=_TIMEOUT)
    except wandb.errors.Error as error:
        reason = " ".join(str(error).split())[:300]
        return f"W&B rejects the login or does not respond ({reason}); check WANDB_API_KEY, WANDB_BASE_URL and network"
    return ""


def publish(run: WandbRun, study: WandbStudy, blocks: Callable[[], list[object]]) -> None:
    """Saves a W&B Report and prints its address; logs a warning if the report cannot be saved.

    `blocks`: function that returns the blocks of the report.
    """
    try:
        if run.offline:
            raise ServerError("the run is kept offline")
        print(f"W&B report: {_saved(run, study, blocks())}")
    except Exception as error:  # the study is complete: no error of the server may end it
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        log.warning(
            "W&B report: could not be saved (%s); repeat the command to save the report (no stage runs again)", reason
        )
        log.info("traceback", exc_info=True)  # for raft_exp.log


def _saved(run: WandbRun, study: WandbStudy, blocks: list[object]) -> str:
    import wandb_workspaces.reports.v2 as wr

    heading = f"{study.study} {study.sweep}".strip()[:_TITLE]
    report = wr.Report(entity=run.entity, project=run.project, title=heading, blocks=blocks, width="fixed")
    return str(report.save().url)
