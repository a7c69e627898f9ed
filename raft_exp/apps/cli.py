"""The command line: compose (Hydra) -> parse -> build -> run. Errors that a user can mend are one line and status 2."""

import contextlib
import errno
import json
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from raft_exp.apps.hydra_errors import explained
from raft_exp.core import tracking
from raft_exp.core.errors import ConfigError, RaftError, StoppedError, StoreError
from raft_exp.core.stage import STAGES
from raft_exp.corpora import ingest_stage as ingest
from raft_exp.exports import hub
from raft_exp.exports.tables import HF
from raft_exp.pipeline import build as pipeline
from raft_exp.pipeline.arms import with_arm_files
from raft_exp.pipeline.config import Config, conf_dir, parse
from raft_exp.pipeline.runner import Runner, fill_run_folder
from raft_exp.pipeline.store import Fingerprints, Outcome, Store
from raft_exp.reporting.wandb.study import WandbStudy, study_of, write_note
from raft_exp.reporting.wandb.tracker import check, log_study, tracker_of

# What an operating system says of a folder that cannot be used: a run folder is made by Hydra before we are asked.
_REFUSED = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENOTDIR,
}


class OwnConf(SearchPathPlugin):
    """A folder `conf` where the user stands is searched after ours: an experiment of one's own needs no fork."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Hydra's hook."""
        own = Path.cwd() / "conf"
        if own.is_dir() and own != conf_dir():
            search_path.append("own", f"file://{own}")


def main() -> None:
    """Runs one study, or with `-m` one for each combination of the values given."""
    Plugins.instance().register(OwnConf)
    sys.argv[1:] = _with_experiment(_with_multirun(sys.argv[1:]))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra would end the process itself; the messages are made here
    try:
        hydra.main(config_path=str(conf_dir()), config_name="config", version_base="1.3")(job)()
    except RaftError as error:
        _refuse(error)
    except (HydraException, OmegaConfBaseException) as error:
        _refuse(explained(error))
    except OSError as error:
        if error.errno not in _REFUSED and not _about_run_folder(error):
            raise
        remedy = "choose another run folder with hydra.run.dir=PATH (hydra.sweep.dir=PATH with -m)"
        _refuse(StoreError(f"{error.filename or 'run folder'}: {error.strerror}; {remedy}"))
    except KeyboardInterrupt:
        sys.exit("\nstopped; the same command goes on from here")


def _about_run_folder(error: OSError) -> bool:
    """Whether it is the run folder that cannot be made. What a study misses is a fault of ours, with its traceback."""
    return error.errno == errno.ENOENT and all(
        frame.f_code is not study.__code__ for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def _with_experiment(arguments: list[str]) -> list[str]:
    """Without an experiment it is the embedded study: named before all other overrides, so that those win."""
    if any(argument.lstrip("+~").startswith("experiment=") for argument in arguments):
        return arguments
    first = next((place for place, argument in enumerate(arguments) if "=" in argument), len(arguments))
    return [*arguments[:first], "+experiment=quickstart", *arguments[first:]]


def _with_multirun(arguments: list[str]) -> list[str]:
    """-m may stand anywhere; a search is many runs and needs none beside it."""
    several = {"-m", "--multirun"} & set(arguments)
    shows = {"--run", "--cfg", "-c", "--info", "--help", "-h"} & set(arguments)
    if not several and ("sweep=optuna" not in arguments or shows):
        return arguments
    return ["--multirun", *(one for one in arguments if one not in several)]


def job(composed: DictConfig) -> None:
    """One study. In a sweep an error ends this job and not the others."""
    try:
        try:
            values = _resolved(composed)
        except OmegaConfBaseException as error:
            raise explained(error) from error
        hydra_config = HydraConfig.get()
        sweep = Path(hydra_config.sweep.dir).name if hydra_config.mode == RunMode.MULTIRUN else ""
        study(values, Path(hydra_config.runtime.output_dir), list(hydra_config.overrides.task), sweep)
    except RaftError as error:
        if HydraConfig.get().mode == RunMode.MULTIRUN and not isinstance(error, StoppedError):
            print(_line(error), file=sys.stderr)
            raise
        _refuse(error)


def study(values: dict[str, Any], run: Path, overrides: list[str], sweep: str = "") -> list[Outcome]:
    """Parses, builds and runs a study into the folder `run`; `sweep` names the sweep that it is a job of."""
    config = parse(values)
    config_file = run / "config.yaml"
    config_file.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    store = Store(config.store)
    stages = pipeline.build(config, Fingerprints(store, save=not config.dry_run))
    runner = Runner(store, run, config_file)
    if config.dry_run:
        return runner.plan(stages)
    check(config.logger, config.makes_wandb_page(), sweep)
    write_note(study_of(values, run), overrides, sweep)
    tracking.activate(tracker_of(values, run))
    wandb_study = study_of(values, run)
    try:
        outcomes = runner.execute(_shortened(config, stages))
        fill_run_folder(run, outcomes, overrides)
        _show(config, run, outcomes, wandb_study)
    finally:
        tracking.active().end_run()
    if any(outcome.stage.name == "export" for outcome in outcomes):  # last, so that what fails here loses nothing
        _write_passages(config, run)
        _push(config, run)
    return outcomes


def _shortened(config: Config, stages: list[Any]) -> list[Any]:
    """A preview needs the datasets and nothing after them."""
    rooms = STAGES[: STAGES.index("dataset") + 1]
    return [stage for stage in stages if stage.name in rooms] if config.preview else stages


def _show(config: Config, run: Path, outcomes: list[Outcome], wandb_study: WandbStudy | None) -> None:
    if config.preview:
        from raft_exp.apps.preview import show

        show([outcome for outcome in outcomes if outcome.stage.name == "dataset"], config)
    _show_unread(run / ingest.REPORT)
    if outcomes[-1].stage.name != "report":
        return
    from raft_exp.reporting.terminal import table

    results = json.loads((run / "results.json").read_text())
    log_study(wandb_study, page=config.report == "wandb")
    console = Console()
    console.print(table(results), results["verdict"])
    print(f"report: {run / 'report.html'}")
    if list(run.glob("wandb/offline-run-*")):
        print(f"W&B: kept offline; to send it: wandb sync {run}/wandb/offline-run-*")


def _show_unread(report: Path) -> None:
    told = json.loads(report.read_text()) if report.exists() else {"reasons": {}}
    if told["reasons"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in told["reasons"].items())
        print(f"{len(told['not_read'])} of {told['files']} files were not read ({reasons}): {report}", file=sys.stderr)


def _write_passages(config: Config, run: Path) -> None:
    """Writes the file that `export.passages` names."""
    if isinstance(config.export.passages, bool):
        return
    file = Path(config.export.passages)
    half = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / "exports" / f"passages.{config.export.format}", half)
        half.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            half.unlink()
        raise StoreError(
            f"export.passages={file}: {error.strerror}; the passages stand in {run / 'exports'}; name another file"
        ) from error
    print(f"passages: {file}")


def _push(config: Config, run: Path) -> None:
    """In every run, also where all stages are reused."""
    repository = config.export.push_to_hub
    if repository:
        commit = hub.push(run / "exports" / HF, repository, config.export.private)
        print(f"pushed: {repository} ({commit})")


def _resolved(composed: DictConfig) -> dict[str, Any]:
    values = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(values, dict)
    r = values["lora"]["r"] if isinstance(values.get("lora"), dict) else 0
    lora = HydraConfig.get().runtime.choices.get("lora")
    if lora in ("full", "none") and r:
        raise ConfigError(f"lora: got {lora}, but the experiment sets lora.r={r}; add lora.r=0")
    folders = [Path(source.path) for source in HydraConfig.get().runtime.config_sources if source.schema == "file"]
    return with_arm_files({str(name): value for name, value in values.items()}, folders)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _refuse(error: Exception) -> None:
    print(_line(error), file=sys.stderr)
    sys.exit(error.status if isinstance(error, RaftError) else 2)
