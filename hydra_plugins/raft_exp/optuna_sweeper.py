"""`sweep=optuna`: searches settings with Optuna on validation questions. It works with every launcher of Hydra."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from raft_exp.apps.sweep import jobs, objectives, space
from raft_exp.apps.sweep.folder import put_away
from raft_exp.apps.sweep.search import Search, SearchConfig, Trial
from raft_exp.core.errors import ConfigError, SweepError
from raft_exp.core.screen import Console
from raft_exp.pipeline.config import Config
from raft_exp.reporting.wandb.tracker import check, log_sweep
from raft_exp.training.pruning import VARIABLE

_SPLIT = "evaluation.split"
# Beginnings of overrides that only decide where results are stored or logged, or what a report says. A search
# continues when one of them changes.
_UNRELATED = ("store=", "logger", "report=", "note=")
_MOST_FAILURES = 3  # consecutive failed trials after which a search ends


class OptunaSweeper(Sweeper):
    """`hydra/sweeper=optuna`: runs the trials of a search as jobs of Hydra's launcher.

    `params`: the search space in the configuration (`hydra.sweeper.params`). `settings`: the fields of `SearchConfig`.
    """

    def __init__(self, params: Mapping[str, str] | None, **settings: object) -> None:
        self._params, self._settings = params, settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Stores the configuration and creates the launcher. Hydra calls this method before `sweep`."""
        self._context, self._config = hydra_context, config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Trial]:
        """Runs the trials and returns them. Prints a table and the command that tests the best trial.

        Raises ConfigError before the first trial for an invalid setting, and SweepError if three trials in a row fail,
        or all trials.
        """
        if find_spec("optuna") is None:
            raise ConfigError("sweep: got 'optuna', which is not installed; pip install 'raft_exp[search]'")
        self._search = objectives.parsed(SearchConfig, self._settings)
        words = space.with_params(arguments, self._params)
        parsed = OverridesParser.create(config_loader=self._context.config_loader).parse_overrides(words)
        fixed, searched = space.split(parsed)
        self._of_the_sweep = [override for override in fixed if override not in jobs.study_overrides(fixed)]
        fixed = _on_validation(jobs.study_overrides(fixed), searched)
        first = objectives.study(self._context, self._config, self._job(fixed, _any_point(searched)))
        check(first.logger, first.makes_wandb_page(), sweep="")
        goal = objectives.Goal.of(self._search, first)
        objectives.check_validation(first)
        folder = Path(str(self._config.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self._config, folder / "multirun.yaml")
        search_identity = {
            "fixed": identity(fixed),
            "space": {name: repr(part) for name, part in searched.items()},
            **goal.as_dict(),
        }
        with Search(
            self._search, searched, goal.directions, search_identity, self._file(first, search_identity)
        ) as search:
            done: list[jobs.Job] = []
            try:
                self._run(search, goal, fixed, done)
                jobs.write_summary(folder, done)
                log_sweep(folder, [job.folder for job in done if job.figure], first.report == "wandb")
                _close(search, goal, fixed, self._search.n_trials)
            finally:
                put_away(folder, done)
            return search.trials()

    def _file(self, config: Config, search_identity: Mapping[str, object]) -> Path:
        if self._search.storage:
            return Path(self._search.storage)
        digest = hashlib.sha256(json.dumps(search_identity, sort_keys=True).encode()).hexdigest()[:10]
        return Path(config.store) / "searches" / f"{self._search.name or f'{config.study}-{digest}'}.db"

    def _run(self, search: Search, goal: objectives.Goal, fixed: Sequence[str], done: list[jobs.Job]) -> None:
        """Runs trials until the search ends, and adds their jobs to `done`."""
        failed = 0
        while batch := self._batch(search, fixed):
            overrides = [self._job(fixed, trial.overrides, self._watch(search, trial, goal)) for trial in batch]
            ended = jobs.launch(self._context, self._launcher, self._config, overrides, len(done))
            done += ended
            for trial, job in zip(batch, ended, strict=True):
                failed = 0 if _finish(search, goal, trial, job) else failed + 1
            if failed >= _MOST_FAILURES:
                raise SweepError(
                    f"{failed} trials in a row failed, the last with: {ended[-1].error or 'no result'}; correct the "
                    "error and repeat the command: it continues the search"
                )

    def _job(self, *overrides: Sequence[str]) -> list[str]:
        """Returns the overrides of a job: those that concern the sweep itself (hydra.*), then all of `overrides`."""
        return [*self._of_the_sweep, *(override for part in overrides for override in part)]

    def _batch(self, search: Search, fixed: Sequence[str]) -> list[Trial]:
        proposals: list[Trial] = []
        while len(proposals) < self._search.n_jobs and (proposed := search.propose()):
            if error := jobs.composition_error(self._context, self._config, self._job(fixed, proposed.overrides)):
                search.fail(proposed, error)
            else:
                proposals.append(proposed)
        return proposals

    def _watch(self, search: Search, trial: Trial, goal: objectives.Goal) -> list[str]:
        if self._search.pruning == "none":
            return []
        return [f"+hydra.job.env_set.{VARIABLE}='{search.watch(trial, goal.trained).absolute()}'"]


def identity(fixed: Sequence[str]) -> list[str]:
    """Returns the overrides that identify a search: `fixed` without storage and logging settings.

    `fixed`: the overrides that all trials share.
    """
    return [override for override in fixed if not override.lstrip("+").startswith(_UNRELATED)]


def _on_validation(fixed: Sequence[str], searched: space.Space) -> list[str]:
    """Returns the overrides `fixed` with `evaluation.split=validation`.

    Raises ConfigError if `fixed` or the search space sets another split: test questions must not choose settings.
    """
    splits = [override.partition("=")[2] for override in fixed if override.lstrip("+").startswith(f"{_SPLIT}=")]
    if _SPLIT in searched or any(split != "validation" for split in splits):
        got = ", ".join(splits) or "several"
        raise ConfigError(f"{_SPLIT}: got {got}; a search uses validation only; leave out this setting")
    others = (override for override in fixed if not override.lstrip("+").startswith(f"{_SPLIT}="))
    return [*others, f"{_SPLIT}=validation"]


def _any_point(searched: space.Space) -> list[str]:
    """Returns the overrides of one point of the search space, so that its configuration can be checked first.

    Raises ConfigError for an empty space.
    """
    if not searched:
        raise ConfigError(
            "sweep: got 'optuna', but no setting has several values; add one, e.g. dataset.p=0.4,0.6,0.8 or "
            "'trainer.learning_rate=tag(log,interval(1e-5,1e-3))'"
        )
    first = {
        name: part.values[0] if isinstance(part, space.Choices) else str(part.low) for name, part in searched.items()
    }
    return [f"{name}={value}" for name, value in first.items()]


def _finish(search: Search, goal: objectives.Goal, trial: Trial, job: jobs.Job) -> bool:
    """Stores the result of a trial in the search. Returns False if the trial failed.

    Raises ConfigError if the job's results lack an objective.
    """
    if job.status != "done":
        return search.fail(trial, job.error or f"no result in {job.folder}")
    try:
        search.finish(trial, goal.values(job.folder))
    except ConfigError as error:
        search.fail(trial, str(error))
        raise
    return True


def _close(search: Search, goal: objectives.Goal, fixed: Sequence[str], wanted: int) -> None:
    tried, best = search.trials(), search.best()
    Console().print(objectives.table(tried, best, goal))
    finished = sum(trial.state in ("complete", "pruned") for trial in tried)
    if running := sum(trial.state == "running" for trial in tried):
        print(f"{running} trials are still running in other processes")
    elif finished < wanted:
        print(f"the search ends after {finished} trials: no untried combination of the values is left")
    failed = [trial for trial in tried if trial.state == "failed"]
    if failed and not finished and not running:
        raise SweepError(
            f"all {len(failed)} trials failed, the first with {failed[0].note}; correct the error and repeat the "
            "command: it runs them again"
        )
    for trial in best:
        command = [override for override in fixed if not override.startswith(f"{_SPLIT}=")] + trial.overrides
        figures = ", ".join(f"{name} {value:.4g}" for name, value in zip(goal.names, trial.values, strict=True))
        print(f"best: trial {trial.number}, {figures} on validation; to evaluate it on the test questions:")
        print(f"  python -m raft_exp {shlex.join([*command, f'{_SPLIT}=test'])}")
