"""W&B runs: how one is started, and what a run folder keeps of those that went online."""

import json
import logging
import netrc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from raft_exp.reporting.wandb.study import WandbStudy

log = logging.getLogger(__name__)

_PATIENCE = 30  # seconds for the server's first answer
_LAST = 120  # and at a run's end for what it has not taken yet: else wandb would wait for days
_KEPT = "wandb/runs.jsonl"  # in the run folder
_FIRST_HOST = "api.wandb.ai"  # where older clients logged in; newer ones go on reading that login


def start(study: WandbStudy, job_type: str, name: str) -> Any:
    """A run. Where the server does not answer it is kept offline: a study does not end because of its logger."""
    mode = mode_of(study.logger.mode)
    try:
        run = _init(study, job_type, name, mode)
    except Exception as error:  # wandb's own, and pydantic's for what stands in its variables
        if mode != "online":
            raise
        told = (str(error).splitlines() or [type(error).__name__])[0]
        log.warning("W&B does not answer (%s): this run is kept offline; send it later with `wandb sync`", told)
        run = _init(study, job_type, name, "offline")
    if not run.offline:
        _keep(study.folder, {"id": run.id, "job_type": job_type, "name": run.name, "url": run.url})
    return run


def _init(study: WandbStudy, job_type: str, name: str, mode: Any) -> Any:
    import wandb

    settings = study.logger
    job = f"#{study.folder.name} " if study.sweep and job_type != "sweep" else ""  # as the sweep's table says it
    return wandb.init(
        project=settings.project,
        entity=settings.entity,
        group=study.group,
        job_type=job_type,
        name=f"{study.study} {job}{name}",
        tags=[*settings.tags, job_type],
        config={**study.settings, **study.given, **({"sweep": study.sweep} if study.sweep else {})},
        dir=str(study.folder),
        mode=mode,
        settings=wandb.Settings(
            init_timeout=_PATIENCE,
            finish_timeout=_LAST,
            finish_timeout_raises=True,
            silent=True,
            console="off",
            disable_code=True,
            disable_git=True,
            x_disable_meta=True,
            x_disable_stats=True,
            host="",  # else the machine's name and the command are sent
            program="",
        ),
    )


def _keep(folder: Path, row: dict[str, str]) -> None:
    with (folder / _KEPT).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def kept(folder: Path) -> Iterator[dict[str, str]]:
    """The online runs of a study: {id, job_type, name, url}."""
    if (folder / _KEPT).exists():
        yield from map(json.loads, (folder / _KEPT).read_text(encoding="utf-8").splitlines())


def mode_of(wanted: str) -> Any:
    """Offline without a key: a study never stops, or asks, because of its logger. WANDB_MODE is heard too."""
    if wanted != "auto":
        return wanted
    return "online" if has_key() and not said_offline() else "offline"


def said_offline() -> str:
    """What WANDB_MODE says, where that is to send nothing: offline, disabled, dryrun, or what wandb does not know."""
    said = os.environ.get("WANDB_MODE", "")
    return "" if said in ("", "online", "run", "shared") else said


def has_key() -> bool:
    """Whether there is a login for the server that this process would ask."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    files = [os.environ["NETRC"]] if os.environ.get("NETRC") else ["~/.netrc", "~/_netrc"]
    return any(host in _hosts(Path(file).expanduser()) for file in files for host in _servers())


def _servers() -> list[str]:
    from wandb.sdk import wandb_setup

    settings = wandb_setup.singleton().settings  # of the environment, of settings files, else the client's own
    own = settings.base_url == type(settings).model_fields["base_url"].default
    return [urlsplit(settings.base_url).netloc, *([_FIRST_HOST] if own else [])]


def _hosts(file: Path) -> set[str]:
    try:
        return set(netrc.netrc(file).hosts)
    except (OSError, netrc.NetrcParseError):
        return set()
