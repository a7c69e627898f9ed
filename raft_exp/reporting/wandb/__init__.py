"""Where figures go besides the store: W&B, when asked for. The store's CSV files are always written.

One process holds one W&B run; the runs of a study share a group, and so do all runs of a sweep. Never sent: the
environment, the command's surroundings, any secret (settings name environment variables, they do not hold keys).
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from raft_exp.core.errors import ConfigError
from raft_exp.core.schema import config_dataclass


@config_dataclass
class CsvConfig:
    """Only the files of the run and the store."""

    name: Literal["csv"]


@config_dataclass
class WandbConfig:
    """Weights & Biases. Without a key (WANDB_API_KEY or `wandb login`) runs are kept offline, to be synced later."""

    name: Literal["wandb"]
    project: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^/\\#?%:]+$")]  # what W&B takes
    entity: str | None
    mode: Literal["auto", "online", "offline"]
    tags: list[Annotated[str, Field(min_length=1, max_length=64)]]


log = logging.getLogger(__name__)

LoggerConfig = Annotated[CsvConfig | WandbConfig, Field(discriminator="name")]


@dataclass(frozen=True)
class Tracker:
    """What this process needs to know to log: settings, the study, its resolved config, a folder; the sweep it is of.

    `given` are the settings that the job's command names, by their dotted names: W&B can put those on an axis.
    """

    logger: Any
    study: str
    settings: Mapping[str, Any]
    folder: Path
    sweep: str = ""  # its folder's name
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The W&B group: the jobs of a sweep stand together, whatever study each of them is."""
        return self.sweep or self.study


_NOTE = "tracking.json"  # in the run folder: for stages in a process of their own

_active: Tracker | None = None
_label = ""  # of the stage that runs now: the name of its W&B run


def note(config: Any, values: Mapping[str, Any], run: Path, overrides: Sequence[str], sweep: str) -> None:
    """Keeps in the run folder what its config.yaml does not say: the sweep, and what the command names."""
    if config.logger.name == "wandb":
        (run / _NOTE).write_text(json.dumps({"sweep": sweep, "given": dict(_given(overrides, values))}))


def of_run(config: Any, values: Mapping[str, Any], run: Path) -> Tracker:
    """The tracker of the study whose run folder this is."""
    told = json.loads((run / _NOTE).read_text()) if (run / _NOTE).exists() else {}
    return Tracker(config.logger, config.study, values, run, **told)


def _given(overrides: Sequence[str], values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for override in overrides:
        name = override.lstrip("+").partition("=")[0]
        value: Any = values
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if "." in name and isinstance(value, str | int | float):  # others are no points of an axis
            yield name, value


def check(config: Any, sweep: str) -> None:
    """Raises ConfigError for what W&B could not take in the end, before anything is computed."""
    if config.logger.name == "wandb" and config.logger.mode == "online":
        from raft_exp.reporting.wandb.runs import has_key

        if not has_key():
            raise ConfigError(
                "logger.mode: got 'online', but there is no key; set WANDB_API_KEY, `wandb login`, or use "
                "logger.mode=auto"
            )
    # a sweep has one page, which its own process makes: a job of it may run where there is no network
    reports = config.until == "report" and not config.preview and not config.dry_run
    if config.report == "wandb" and reports and not sweep:
        from raft_exp.reporting.wandb import page

        page.check(config.logger)


def activate(tracker: Tracker | None) -> None:
    """Names the study that this process works for."""
    global _active
    _active = tracker


def entering(label: str) -> None:
    """Names the stage whose run the next logger belongs to."""
    global _label
    _label = label


def running() -> str:
    """The label of the stage that runs now: `train[raft]`."""
    return _label


def lightning_loggers() -> list[Any]:
    """Lightning loggers for a training stage; none unless logger=wandb."""
    if _active is None or _active.logger.name != "wandb":
        return []
    from pytorch_lightning.loggers import WandbLogger

    from raft_exp.reporting.wandb.runs import start

    with _not_ending_the_study("this training"):
        return [WandbLogger(experiment=start(_active, "train", _label), log_model=False)]
    return []


def log_figures(loggers: Sequence[Any], figures: Mapping[str, Any], step: int) -> bool:
    """Logs figures of a training; whether the loggers still take any."""
    with _not_ending_the_study("further figures of this training"):
        for logger in loggers:
            logger.log_metrics(figures, step)
        return True
    return False


def log_table(name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Logs a table to the run that this process has; nothing unless logger=wandb."""
    if _active is None or _active.logger.name != "wandb":
        return
    import wandb

    if wandb.run is not None:
        with _not_ending_the_study(f"the table {name}"):
            wandb.run.log({name: wandb.Table(columns=list(columns), data=[list(row) for row in rows])})


def log_study(page: bool) -> None:
    """Logs what the run folder shows of the finished study, also when every stage was reused.

    With `page` a W&B Report as well; but a sweep has one for all its jobs, made at its end.
    """
    if _active is None or _active.logger.name != "wandb":
        return
    with _not_ending_the_study("the results"):
        from raft_exp.reporting.wandb import results

        results.log(_active, page and not _active.sweep)
    finish()


def log_sweep(folder: Path, jobs: Sequence[Path], page: bool) -> None:
    """Logs the comparison of a sweep's finished jobs as one more run; nothing unless they logged to W&B."""
    if not jobs or not (jobs[0] / _NOTE).exists():
        return
    with _not_ending_the_study("the comparison"):
        from raft_exp.reporting.wandb import comparison

        comparison.log(folder, jobs, page)
    finish()


@contextmanager
def _not_ending_the_study(what: str) -> Iterator[None]:
    """Whatever W&B has to say is told in one line: figures are on disk before they are logged."""
    try:
        yield
    except Exception as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        log.warning("W&B: %s could not be logged (%s); nothing is lost, the run folder has it all", what, told)
        log.info("where that was", exc_info=True)  # raft_exp.log has it


def finish() -> None:
    """Ends this process's W&B run, if it has one, so that the next stage starts its own."""
    if _active is not None and _active.logger.name == "wandb":
        import wandb

        with _not_ending_the_study("the end of a run"):
            wandb.finish()
