"""Where figures go besides the store: W&B, when asked for. The store's CSV files are always written.

One process holds one W&B run; the runs of a study share a group. Never sent: the environment, the command's
surroundings, any secret (settings name environment variables, they do not hold keys).
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from raft_exp.errors import ConfigError
from raft_exp.schema import config_dataclass


@config_dataclass
class CsvConfig:
    """Only the files of the run and the store."""

    name: Literal["csv"]


@config_dataclass
class WandbConfig:
    """Weights & Biases. Without a key (WANDB_API_KEY or `wandb login`) runs are kept offline, to be synced later."""

    name: Literal["wandb"]
    project: str
    entity: str | None
    mode: Literal["auto", "online", "offline"]
    tags: list[str]


log = logging.getLogger(__name__)

LoggerConfig = Annotated[CsvConfig | WandbConfig, Field(discriminator="name")]


@dataclass(frozen=True)
class Tracker:
    """What this process needs to know to log: settings, the study (W&B group), its resolved config, a folder."""

    logger: Any
    study: str
    settings: Mapping[str, Any]
    folder: Path


_PATIENCE = 30  # seconds for the server's first answer

_active: Tracker | None = None
_label = ""  # of the stage that runs now: the name of its W&B run


def activate(tracker: Tracker | None) -> None:
    """Names the study that this process works for. Raises ConfigError for an online logger without a key."""
    global _active
    if tracker and tracker.logger.name == "wandb" and tracker.logger.mode == "online" and not _has_key():
        raise ConfigError(
            "logger.mode: got 'online', but there is no key; set WANDB_API_KEY, `wandb login`, or use logger.mode=auto"
        )
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

    return [WandbLogger(experiment=_start(_active, "train", _label), log_model=False)]


def log_table(name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Logs a table to the run that this process has; nothing unless logger=wandb."""
    if _active is None or _active.logger.name != "wandb":
        return
    import wandb

    if wandb.run is not None:
        wandb.run.log({name: wandb.Table(columns=list(columns), data=[list(row) for row in rows])})


def finish() -> None:
    """Ends this process's W&B run, if it has one, so that the next stage starts its own."""
    if _active is not None and _active.logger.name == "wandb":
        import wandb

        wandb.finish()


def log_results(results: Mapping[str, Any]) -> None:
    """Logs the study's metrics and its table; also when every stage was reused."""
    if _active is None or _active.logger.name != "wandb":
        return
    import wandb

    run = _start(_active, "report", "report")
    rows = [
        (arm, metric, value["value"], value["low"], value["high"], summary["n"])
        for arm, summary in results["arms"].items()
        for metric, value in summary["metrics"].items()
    ]
    run.log(
        {
            "results": wandb.Table(
                columns=["arm", "metric", "value", "low", "high", "n"], data=[list(row) for row in rows]
            )
        }
    )
    for arm, metric, value, *_ in rows:
        run.summary[f"{arm}/{metric}"] = value
    run.finish()


def _start(tracker: Tracker, job_type: str, name: str) -> Any:
    """A run. Where the server does not answer it is kept offline: a study does not end because of its logger."""
    import wandb

    mode = _mode(tracker.logger.mode)
    try:
        return _init(tracker, job_type, name, mode)
    except wandb.errors.Error as error:
        if mode != "online":
            raise
        told = (str(error).splitlines() or [type(error).__name__])[0]
        log.warning("W&B does not answer (%s): this run is kept offline; send it later with `wandb sync`", told)
        return _init(tracker, job_type, name, "offline")


def _init(tracker: Tracker, job_type: str, name: str, mode: Any) -> Any:
    import wandb

    settings = tracker.logger
    return wandb.init(
        project=settings.project,
        entity=settings.entity,
        group=tracker.study,
        job_type=job_type,
        name=f"{tracker.study} {name}",
        tags=[*settings.tags, job_type],
        config=dict(tracker.settings),
        dir=str(tracker.folder),
        mode=mode,
        settings=wandb.Settings(
            init_timeout=_PATIENCE,
            silent=True,
            console="off",
            disable_code=True,
            disable_git=True,
            x_disable_meta=True,
            x_disable_stats=True,
        ),
    )


def _mode(wanted: str) -> Any:
    """Offline without a key: a study never stops, or asks, because of its logger."""
    return ("online" if _has_key() else "offline") if wanted == "auto" else wanted


def _has_key() -> bool:
    import netrc

    try:
        known = netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError):
        known = False
    return known or bool(os.environ.get("WANDB_API_KEY"))
