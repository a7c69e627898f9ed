"""Starts W&B runs, and lists the online runs of a study in its run folder."""

import json
import logging
import netrc
import os
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Literal, Protocol, TypedDict
from urllib.parse import urlsplit

from raft_exp.reporting.paths import without_folders
from raft_exp.reporting.wandb.study import WandbStudy

log = logging.getLogger(__name__)

_INIT_TIMEOUT = 30  # seconds for the server's first answer
_FINISH_TIMEOUT = 120  # seconds for the last data at the end of a run; wandb's own default is days
_ONLINE_RUNS = "wandb/runs.jsonl"  # in the run folder
_FIRST_HOST = "api.wandb.ai"  # older clients stored logins under this host; newer clients still read them

Mode = Literal["online", "offline"]


class WandbRun(Protocol):
    """The attributes and methods of `wandb.Run` that this package uses."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def url(self) -> str: ...  # noqa: D102
    @property
    def entity(self) -> str: ...  # noqa: D102
    @property
    def project(self) -> str: ...  # noqa: D102
    @property
    def offline(self) -> bool: ...  # noqa: D102
    @property
    def summary(self) -> MutableMapping[str, object]: ...  # noqa: D102
    def log(self, data: Mapping[str, object]) -> None: ...  # noqa: D102
    def define_metric(self, name: str, step_metric: str) -> object: ...  # noqa: D102
    def finish(self) -> None: ...  # noqa: D102


class OnlineRun(TypedDict):
    """A run that was sent to the server: one line of wandb/runs.jsonl."""

    id: str
    job_type: str
    name: str
    url: str


def start(study: WandbStudy, job_type: str, name: str) -> WandbRun:
    """Starts a W&B run. If an online run cannot be started, the run is offline, so that the study continues.

    Raises the error of wandb if an offline run cannot be started either.
    """
    mode = mode_of(study.logger.mode)
    try:
        run = _init(study, job_type, name, mode)
    except Exception as error:  # wandb's errors, and pydantic's for values of its environment variables
        if mode != "online":
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        later = f"wandb sync {study.folder}/wandb/offline-run-*"
        log.warning("W&B does not answer (%s): this run is kept offline; send it later with `%s`", reason, later)
        run = _init(study, job_type, name, "offline")
    if not run.offline:
        _note(study.folder, {"id": run.id, "job_type": job_type, "name": run.name, "url": run.url})
    return run


def _init(study: WandbStudy, job_type: str, name: str, mode: Mode) -> WandbRun:
    import wandb

    settings = study.logger
    job = f"#{study.folder.name} " if study.sweep and job_type != "sweep" else ""  # its number in the sweep's table
    run: WandbRun = wandb.init(
        project=settings.project,
        entity=settings.entity,
        group=study.group,
        job_type=job_type,
        name=f"{study.study} {job}{name}",
        tags=[*settings.tags, job_type],
        config=without_folders({**study.settings, **study.given, **({"sweep": study.sweep} if study.sweep else {})}),
        dir=str(study.folder),
        mode=mode,
        settings=wandb.Settings(
            init_timeout=_INIT_TIMEOUT,
            finish_timeout=_FINISH_TIMEOUT,
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
    return run


def _note(folder: Path, run: OnlineRun) -> None:
    with (folder / _ONLINE_RUNS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(run) + "\n")


def online_runs(folder: Path) -> Iterator[OnlineRun]:
    """Yields the runs of a study that were sent to the server. `folder`: the run folder of the study."""
    if (folder / _ONLINE_RUNS).exists():
        yield from map(json.loads, (folder / _ONLINE_RUNS).read_text(encoding="utf-8").splitlines())


def mode_of(setting: Literal["auto", "online", "offline"]) -> Mode:
    """Returns the W&B mode. The setting auto means online if a login exists and WANDB_MODE permits it, else offline."""
    if setting != "auto":
        return setting
    return "online" if has_key() and not offline_variable() else "offline"


def offline_variable() -> str:
    """Returns the value of WANDB_MODE if it forbids sending (offline, disabled, dryrun, unknown values), else ""."""
    mode = os.environ.get("WANDB_MODE", "")
    return "" if mode in ("", "online", "run", "shared") else mode


def has_key() -> bool:
    """Whether this process has a login for the W&B server."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    files = [os.environ["NETRC"]] if os.environ.get("NETRC") else ["~/.netrc", "~/_netrc"]
    return any(host in _hosts(Path(file).expanduser()) for file in files for host in _servers())


def _servers() -> list[str]:
    from wandb.sdk import wandb_setup

    settings = wandb_setup.singleton().settings  # from the environment, settings files, or the client's defaults
    own = settings.base_url == type(settings).model_fields["base_url"].default
    return [urlsplit(settings.base_url).netloc, *([_FIRST_HOST] if own else [])]


def _hosts(file: Path) -> set[str]:
    try:
        return set(netrc.netrc(file).hosts)
    except (OSError, netrc.NetrcParseError):
        return set()
