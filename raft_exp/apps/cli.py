"""The command line of a study: Hydra composes the settings, then the study is built and run.

Errors that the user can correct are printed as one line.
"""

import contextlib
import errno
import json
import os
import shutil
import sys
import traceback
from functools import partial
from pathlib import Path

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

from raft_exp import __version__
from raft_exp.apps.experiments import with_experiment
from raft_exp.apps.group_arguments import with_group_names
from raft_exp.apps.hydra_errors import explained
from raft_exp.apps.path_arguments import with_quoted_paths
from raft_exp.apps.settings_help import help_text
from raft_exp.apps.shown_command import shown_command
from raft_exp.apps.yaml_errors import explained_yaml, own_conf, with_place
from raft_exp.core import screen, secrets, tracking
from raft_exp.core.errors import ConfigError, RaftError, StoppedError, StoreError
from raft_exp.core.printable import printable
from raft_exp.core.processes import begin_command, end_with_command
from raft_exp.core.schema import identity
from raft_exp.core.screen import Console
from raft_exp.core.stage import STAGES, Stage
from raft_exp.corpora import ingest_stage
from raft_exp.exports import hub
from raft_exp.exports.tables import HF
from raft_exp.pipeline.arm_settings import ignored_settings
from raft_exp.pipeline.arms import with_arm_files
from raft_exp.pipeline.build import build
from raft_exp.pipeline.config import Config, conf_dir
from raft_exp.pipeline.converted import conversions, read_by
from raft_exp.pipeline.export_settings import ends_before_datasets, not_exported
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.manifest import git_commit, has_local_changes
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.remarks import remark
from raft_exp.pipeline.run_begin import CONFIG, begin, has_results, remove_refused, write_config
from raft_exp.pipeline.run_folder import fill, move_finished
from raft_exp.pipeline.runner import Runner
from raft_exp.pipeline.store import Outcome, open_store
from raft_exp.pipeline.transfer_files import with_transfer_files
from raft_exp.pipeline.wordings import with_wording_files
from raft_exp.prompts.task import answer_like
from raft_exp.reporting import provenance
from raft_exp.reporting.wandb.study import WandbStudy, study_of, write_note
from raft_exp.reporting.wandb.tracker import check, log_study, tracker_of

# Errors of the operating system for an unusable run folder, which Hydra creates before the job starts.
_FOLDER_ERRORS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENOTDIR,
}


class OwnConf(SearchPathPlugin):
    """Adds the folder `conf` of the working directory to Hydra's search path, after the shipped folder."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Adds the folder to `search_path` (a hook of Hydra)."""
        if own := own_conf():
            search_path.append("own", f"file://{own}")


def main() -> None:
    """Runs one study, or with `-m` one study for each combination of values."""
    screen.take_any_text()
    begin_command()
    if _answers_alone(sys.argv[1:]):
        return
    Plugins.instance().register(OwnConf)
    sys.argv[1:] = with_experiment(_with_multirun(with_group_names(with_quoted_paths(sys.argv[1:]))))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise its errors instead of ending the process
    try:
        screen.check_arguments(sys.argv[1:])
        secrets.check_arguments(sys.argv[1:])
        hydra.main(config_path=str(conf_dir()), config_name="config", version_base="1.3")(job)()
    except RaftError as error:
        _refuse(error)
    except (HydraException, OmegaConfBaseException) as error:
        _refuse(explained(error))
    except (yaml.YAMLError, ValueError) as error:  # Hydra raises ValueError for defaults that are no list
        own = explained_yaml(error) if _is_outside_study(error) else None
        if own is None:
            raise
        _refuse(own)
    except OSError as error:
        if error.errno not in _FOLDER_ERRORS and not _about_run_folder(error):
            raise
        remedy = "choose another run folder with hydra.run.dir=PATH (hydra.sweep.dir=PATH with -m)"
        _refuse(StoreError(f"{error.filename or 'run folder'}: {error.strerror}; {remedy}"))


def _answers_alone(arguments: list[str]) -> bool:
    """Prints the version or the help, if requested, and returns whether it did.

    Help together with overrides or options is left to Hydra, whose help shows the resulting values. An unknown group
    ends the process with an error.
    """
    if "--version" in arguments:
        print(f"raft_exp {__version__}")
        return True
    groups = [word for word in arguments if word not in ("--help", "-h")]
    if len(groups) == len(arguments) or any("=" in word or word.startswith("-") for word in groups):
        return False
    try:
        print(help_text(groups))
    except ConfigError as error:
        _refuse(error)
    return True


def _about_run_folder(error: OSError) -> bool:
    """Whether an error for a missing file is about the run folder, i.e. it was not raised within a study."""
    return error.errno == errno.ENOENT and _is_outside_study(error)


def _is_outside_study(error: BaseException) -> bool:
    return all(frame.f_code is not study.__code__ for frame, _ in traceback.walk_tb(error.__traceback__))


def _with_multirun(arguments: list[str]) -> list[str]:
    """Moves -m to the front. Adds it for sweep=optuna, which runs many jobs, unless an option such as --cfg is set."""
    several = {"-m", "--multirun"} & set(arguments)
    shows = {"--run", "--cfg", "-c", "--info", "--help", "-h"} & set(arguments)
    if not several and ("sweep=optuna" not in arguments or shows):
        return arguments
    return ["--multirun", *(word for word in arguments if word not in several)]


def job(composed: DictConfig) -> None:
    """Runs one study from the settings that Hydra composed.

    A RaftError ends the process with one line. In a sweep, only a StoppedError does; other errors end only this job.
    """
    screen.take_any_text()  # in the processes of a launcher `main` has not run
    end_with_command()
    try:
        try:
            values = resolved(composed)
        except OmegaConfBaseException as error:
            raise explained(error) from error
        hydra_config = HydraConfig.get()
        sweep = Path(hydra_config.sweep.dir).name if hydra_config.mode == RunMode.MULTIRUN else ""
        study(values, Path(hydra_config.runtime.output_dir), list(hydra_config.overrides.task), sweep)
    except RaftError as error:
        chosen = HydraConfig.get()
        remove_refused(Path(chosen.runtime.output_dir))
        placed = error
        if isinstance(error, ConfigError):
            placed = with_place(error, chosen.runtime.choices, chosen.overrides.task)
        if chosen.mode == RunMode.MULTIRUN and not isinstance(error, StoppedError):
            print(_line(placed), file=sys.stderr)
            raise
        _refuse(placed)


def study(values: dict[str, object], run: Path, overrides: list[str], sweep: str = "") -> list[Outcome]:
    """Parses, builds and runs a study, with results in the folder `run`.

    `overrides`: the settings on the command line. `sweep`: name of the sweep to which the study belongs, or "". Returns
    the outcome of each stage. With dry_run, no stage runs, and the outcomes tell which stages would run.
    """
    config = parse(values)
    secrets.check_settings(values)
    _warn_of_prompt(config)
    if line := ignored_settings(config):
        screen.say(line, error=True)
    store = open_store(config.store, config.local_store)
    fingerprints = Fingerprints(store, save=not config.dry_run)
    stages = build(config, fingerprints)
    stages = [*read_by(conversions(config, fingerprints), stages), *stages]
    runner = Runner(store, run, run / CONFIG, config.spread, partial(remark, config))
    if config.dry_run:
        if not has_results(run):
            write_config(run, values)
        return runner.plan(stages)
    check(config.logger, config.makes_wandb_page(), sweep)
    write_note(study_of(values, run), overrides, sweep)
    tracking.activate(tracker_of(values, run))
    wandb_study = study_of(values, run)
    try:
        stages = _shortened(config, stages)
        try:
            outcomes = runner.execute(stages, partial(begin, run, values))
        except RaftError:
            _preview(config, [store.look(stage) for stage in stages])  # the data sets that were made before the error
            raise
        fill(run, outcomes, overrides, config.run.copy)
        _write_provenance(run, outcomes, overrides)
        if not config.preview:
            run = move_finished(run, config.study, store)
            wandb_study = study_of(values, run)
        _show(config, run, outcomes, wandb_study)
    finally:
        tracking.active().end_run()
    if line := not_exported(config):
        screen.say(line, error=True)
    if any(outcome.stage.name == "export" for outcome in outcomes):  # last, so that a failure here loses no result
        _write_passages(config, run)
        _name_tools(config, run)
        _push(config, run)
    return outcomes


def _warn_of_prompt(config: Config) -> None:
    """Prints a warning if `prompt.task` has an example answer, which models would repeat as their reply."""
    if sentence := answer_like(config.prompt.task):
        print(
            f"prompt.task: {sentence!r} reads like an answer, and models repeat it; write an instruction, such as "
            "'Reply with ...'",
            file=sys.stderr,
        )


def _shortened(config: Config, stages: list[Stage]) -> list[Stage]:
    """Returns the stages up to the data sets for a preview, else all stages."""
    names = STAGES[: STAGES.index("dataset") + 1]
    return [stage for stage in stages if stage.name in names] if config.preview else stages


def _show(config: Config, run: Path, outcomes: list[Outcome], wandb_study: WandbStudy | None) -> None:
    _preview(config, outcomes)
    _show_unread(run / ingest_stage.REPORT)
    if outcomes[-1].stage.name != "report":
        _show_dataset_warnings(run / "audit.json", config)
        return
    from raft_exp.evaluation.metrics import with_wording
    from raft_exp.reporting.terminal import table, verdict

    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    log_study(wandb_study, page=config.report == "wandb")
    console = Console()
    requested = with_wording(config.evaluation.metrics, config.evaluation.reference)
    console.print(table(results, requested), *verdict(results), sep="\n")
    screen.say(f"report: {run / 'report.html'}")
    if list(run.glob("wandb/offline-run-*")):
        print(f"W&B: the run is stored offline; send it with: wandb sync {run}/wandb/offline-run-*")


def _write_provenance(run: Path, outcomes: list[Outcome], overrides: list[str]) -> None:
    """Writes date, version, commit and command into the run folder, and to the top of its pages."""
    facts = provenance.provenance(shown_command("python -m raft_exp", overrides), git_commit(), has_local_changes())
    provenance.write(run, facts)
    if outcomes[-1].stage.name == "report":
        provenance.stamp([run / name for name in provenance.PAGES], facts)


def _preview(config: Config, outcomes: list[Outcome]) -> None:
    """Prints the first rows of the finished data sets, if `preview` is set."""
    finished = [outcome for outcome in outcomes if outcome.stage.name == "dataset" and outcome.status != "planned"]
    if config.preview and finished:
        from raft_exp.apps.preview import show

        show(finished, config)


def _show_dataset_warnings(file: Path, config: Config) -> None:
    """Prints the warnings about the data sets in `file` (audit.json), for a run that ends before its report."""
    from raft_exp.reporting.dataset_warnings import dataset_warnings

    if file.exists():
        settings = {"evaluation": identity(config.evaluation)}
        for line in dataset_warnings(json.loads(file.read_text(encoding="utf-8")), settings):
            screen.say(f"warning: {line}", error=True)


def _show_unread(file: Path) -> None:
    report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"reasons": {}}
    if report["reasons"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report["reasons"].items())
        screen.say(
            f"{len(report['not_read'])} of {report['files']} files were not read ({reasons}); {file} lists them",
            error=True,
        )


def _write_passages(config: Config, run: Path) -> None:
    """Copies the exported passages to the file that `export.passages` names, if any.

    Raises StoreError if the file cannot be written.
    """
    if isinstance(config.export.passages, bool):
        return
    file = Path(config.export.passages)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / "exports" / f"passages.{config.export.format}", partial)
        partial.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise StoreError(
            f"export.passages={file}: {error.strerror}; the passages are in {run / 'exports'}; name another file"
        ) from error
    screen.say(f"passages: {file}")


def _name_tools(config: Config, run: Path) -> None:
    """Prints the path of the README.md of each tool in `export.for`, unless the study ends before its data sets."""
    for name in config.export.tools if not ends_before_datasets(config) else []:
        page = run / "exports" / name / "README.md"
        screen.say(f"{name}: {page} contains the training commands, and arms that compare the results")


def _push(config: Config, run: Path) -> None:
    """Pushes the exported data set to the repository `export.push_to_hub`, if set, even if all stages were reused."""
    repository = config.export.push_to_hub
    if repository:
        commit = hub.push(run / "exports" / HF, repository, config.export.private)
        screen.say(f"pushed: {repository} ({commit})")


def resolved(composed: DictConfig) -> dict[str, object]:
    """Returns the settings that Hydra composed, with the YAML files of their arms, wordings and other corpora.

    Raises ConfigError if lora=full or lora=none is chosen, but lora.r is not 0.
    """
    values = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(values, dict)
    r = values["lora"]["r"] if isinstance(values.get("lora"), dict) else 0
    lora = HydraConfig.get().runtime.choices.get("lora")
    if lora in ("full", "none") and r:
        raise ConfigError(f"lora: got {lora}, but lora.r={r}, which trains an adapter; set lora.r=0")
    folders = [Path(source.path) for source in HydraConfig.get().runtime.config_sources if source.schema == "file"]
    named = with_arm_files({str(name): value for name, value in values.items()}, folders)
    return with_transfer_files(with_wording_files(named, folders), folders)


def _line(error: Exception) -> str:
    return printable(" ".join(f"{type(error).__name__}: {error}".splitlines()))


def _refuse(error: Exception) -> None:
    print(_line(error), file=sys.stderr)
    sys.exit(error.status if isinstance(error, RaftError) else 2)
