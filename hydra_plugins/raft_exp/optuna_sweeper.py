"""`sweep=optuna`: a search on Optuna's ask and tell, on validation questions, through any launcher of Hydra."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from raft_exp.apps.sweep import jobs, objectives, space
from raft_exp.apps.sweep.search import Search, SearchConfig, Trial
from raft_exp.core.errors import ConfigError, SweepError
from raft_exp.reporting.wandb.tracker import check, log_sweep
from raft_exp.training.pruning import VARIABLE

_SPLIT = "evaluation.split"
# Where results lie and who is told of them says nothing about a search: it goes on with another logger.
_ELSEWHERE = ("store=", "logger", "report=", "note=")
_IN_A_ROW = 3  # trials that fail one after another: the fourth would, too


class OptunaSweeper(Sweeper):
    """`hydra/sweeper=optuna`."""

    def __init__(self, params: Mapping[str, str] | None, **settings: Any) -> None:
        self._params, self._settings = params, settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's hook."""
        self._context, self._config = hydra_context, config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Trial]:
        """Runs trials until there are enough; shows them, and the command that tests the best."""
        if find_spec("optuna") is None:
            raise ConfigError("sweep: got 'optuna', which is not installed; pip install 'raft_exp[search]'")
        self._search = objectives.parsed(SearchConfig, self._settings)
        given = space.with_params(arguments, self._params)
        parsed = OverridesParser.create(config_loader=self._context.config_loader).parse_overrides(given)
        fixed, searched = space.split(parsed)
        self._of_the_sweep = [one for one in fixed if one not in jobs.own(fixed)]
        fixed = _on_validation(jobs.own(fixed), searched)
        first = objectives.study(self._context, self._config, self._job(fixed, _corner(searched)))
        check(first.logger, first.makes_wandb_page(), sweep="")
        goal = objectives.Goal.of(self._search, first)
        folder = Path(str(self._config.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self._config, folder / "multirun.yaml")
        what = {
            "fixed": identity(fixed),
            "space": {name: repr(part) for name, part in searched.items()},
            **goal.as_dict(),
        }
        with Search(self._search, searched, goal.directions, what, self._file(first, what)) as search:
            done = self._run(search, goal, fixed)
            jobs.note(folder, done)
            log_sweep(folder, [job.folder for job in done if job.figure], first.report == "wandb")
            _close(search, goal, fixed, self._search.n_trials)
            return search.trials()

    def _file(self, config: Any, what: Mapping[str, Any]) -> Path:
        if self._search.storage:
            return Path(self._search.storage)
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:10]
        return Path(config.store) / "searches" / f"{self._search.name or f'{config.study}-{digest}'}.db"

    def _run(self, search: Search, goal: objectives.Goal, fixed: Sequence[str]) -> list[jobs.Job]:
        done: list[jobs.Job] = []
        failed = 0
        while batch := self._batch(search, fixed):
            overrides = [self._job(fixed, trial.overrides, self._watch(search, trial, goal)) for trial in batch]
            ended = jobs.launch(self._context, self._launcher, self._config, overrides, len(done))
            done += ended
            for trial, job in zip(batch, ended, strict=True):
                failed = 0 if _tell(search, goal, trial, job) else failed + 1
            if failed >= _IN_A_ROW:
                raise SweepError(
                    f"{failed} trials in a row failed, the last with {ended[-1].error or 'no result'}; mend it, and "
                    "the same command goes on"
                )
        return done

    def _job(self, *overrides: Sequence[str]) -> list[str]:
        """A trial is composed with the sweep's own choices, whose settings (hydra.sweeper...) Hydra adds by itself."""
        return [*self._of_the_sweep, *(one for part in overrides for one in part)]

    def _batch(self, search: Search, fixed: Sequence[str]) -> list[Trial]:
        proposals: list[Trial] = []
        while len(proposals) < self._search.n_jobs and (proposed := search.propose()):
            if problem := jobs.composes(self._context, self._config, self._job(fixed, proposed.overrides)):
                search.fail(proposed, problem)
            else:
                proposals.append(proposed)
        return proposals

    def _watch(self, search: Search, trial: Trial, goal: objectives.Goal) -> list[str]:
        if self._search.pruning == "none":
            return []
        return [f"+hydra.job.env_set.{VARIABLE}='{search.watch(trial, goal.trained).absolute()}'"]


def identity(fixed: Sequence[str]) -> list[str]:
    """What says of a search which one it is, among what stands for all its trials."""
    return [one for one in fixed if not one.lstrip("+").startswith(_ELSEWHERE)]


def _on_validation(fixed: Sequence[str], searched: space.Space) -> list[str]:
    """Settings are chosen on validation questions; the test is for the one that is chosen."""
    asked = [one.partition("=")[2] for one in fixed if one.lstrip("+").startswith(f"{_SPLIT}=")]
    if _SPLIT in searched or any(value != "validation" for value in asked):
        got = ", ".join(asked) or "several"
        raise ConfigError(f"{_SPLIT}: got {got}; search on validation, never on test: leave it out")
    return [*(one for one in fixed if not one.lstrip("+").startswith(f"{_SPLIT}=")), f"{_SPLIT}=validation"]


def _corner(searched: space.Space) -> list[str]:
    """Some point of the space, to see early whether its studies can be."""
    if not searched:
        raise ConfigError(
            "sweep: got 'optuna', but no setting to search; give one several values, as dataset.p=0.4,0.6,0.8 or "
            "'trainer.learning_rate=tag(log,interval(1e-5,1e-3))'"
        )
    first = {
        name: part.values[0] if isinstance(part, space.Choices) else str(part.low) for name, part in searched.items()
    }
    return [f"{name}={value}" for name, value in first.items()]


def _tell(search: Search, goal: objectives.Goal, trial: Trial, job: jobs.Job) -> bool:
    """Whether the trial came to an end that counts."""
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
        print(f"{running} trials run in other processes")
    elif finished < wanted:
        print(f"{finished} trials: there are no more points to try")
    for trial in best:
        command = [one for one in fixed if not one.startswith(f"{_SPLIT}=")] + trial.overrides
        figures = ", ".join(f"{name} {value:.4g}" for name, value in zip(goal.names, trial.values, strict=True))
        print(f"best: trial {trial.number}, {figures} on validation; on the test questions:")
        print(f"  python -m raft_exp {shlex.join([*command, f'{_SPLIT}=test'])}")
