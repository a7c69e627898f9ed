"""The tracker of studies that log to W&B. A process has one W&B run at a time; the runs of a study share a group."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raft_exp.core.errors import ConfigError
from raft_exp.core.tracking import NoTracker, Tracker
from raft_exp.reporting.wandb.config import LoggerConfig
from raft_exp.reporting.wandb.study import WandbStudy, study_of, was_logged

log = logging.getLogger(__name__)


class WandbTracker:
    """Logs to W&B for one process of a study."""

    def __init__(self, study: WandbStudy) -> None:
        self._study = study

    def training_loggers(self, stage: str) -> list[Any]:
        """Starts a W&B run and returns its Lightning logger in a list; [] if the run cannot be started."""
        from pytorch_lightning.loggers import WandbLogger

        from raft_exp.reporting.wandb.runs import start

        with _warn_only("this training"):
            return [WandbLogger(experiment=start(self._study, "train", stage), log_model=False)]
        return []

    def log_figures(self, loggers: Sequence[Any], figures: Mapping[str, Any], step: int) -> bool:
        """Logs figures of a training step; returns False if a logger fails."""
        with _warn_only("further figures of this training"):
            for logger in loggers:
                logger.log_metrics(figures, step)
            return True
        return False

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Logs a table to the W&B run of this process. Does nothing without such a run."""
        import wandb

        if wandb.run is not None:
            with _warn_only(f"the table {name}"):
                wandb.run.log({name: wandb.Table(columns=list(columns), data=[list(row) for row in rows])})

    def end_run(self) -> None:
        """Ends the W&B run of this process."""
        import wandb

        with _warn_only("the end of a run"):
            wandb.finish()


def tracker_of(values: Mapping[str, object], run: Path) -> Tracker:
    """Returns a W&B tracker if the study logs to W&B, else a tracker that logs nothing."""
    study = study_of(values, run)
    return WandbTracker(study) if study else NoTracker()


def check(logger: LoggerConfig, page: bool, sweep: str) -> None:
    """Raises ConfigError for settings with which W&B would fail at the end of the study.

    Commands call this function before any computation. `page`: whether a W&B Report is requested. In a job of a sweep
    (`sweep` is not "") the report is not checked, because the process of the sweep makes one report for all jobs.
    """
    from raft_exp.reporting.wandb.runs import has_key

    if logger.name == "wandb" and logger.mode == "online" and not has_key():
        raise ConfigError(
            "logger.mode: got 'online', but there is no login; "
            "set WANDB_API_KEY, run `wandb login`, or use logger.mode=auto"
        )
    if page and not sweep:
        from raft_exp.reporting.wandb.page import check as check_page

        check_page(logger)


def log_study(study: WandbStudy | None, page: bool) -> None:
    """Logs the results of a finished study from its run folder, even if no stage ran. Does nothing for None.

    `page`: whether to save a W&B Report too. A job of a sweep saves no report, because the sweep has one for all jobs.
    """
    if study is None:
        return
    with _warn_only("the results"):
        from raft_exp.reporting.wandb import results

        results.log(study, page and not study.sweep)
    WandbTracker(study).end_run()


def log_sweep(folder: Path, jobs: Sequence[Path], page: bool) -> None:
    """Logs the comparison of a sweep's finished jobs as a further W&B run, if the first job logged to W&B."""
    if not jobs or not was_logged(jobs[0]):
        return
    import wandb

    with _warn_only("the comparison"):
        from raft_exp.reporting.wandb import comparison

        comparison.log(folder, jobs, page)
    with _warn_only("the end of a run"):
        wandb.finish()


@contextmanager
def _warn_only(what: str) -> Iterator[None]:
    """Turns any error of W&B into one warning, because all figures are already on disk."""
    try:
        yield
    except Exception as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        log.warning("W&B: %s could not be logged (%s); the run folder has all results", what, message)
        log.info("traceback", exc_info=True)  # for raft_exp.log
