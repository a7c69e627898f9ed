"""A search for good settings with Optuna's ask-and-tell interface.

Trials are stored in an SQLite file. So a search can be resumed, and several processes can share it. No point is tried
twice. Each process holds a lock file. If a process dies, its lock is released, and its trials are tried again.
Proposals depend only on the seed and the earlier trials, so that a resumed search proposes the same points.
"""

import hashlib
import json
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from filelock import FileLock, Timeout

from raft_exp.apps.sweep.space import Choices, Interval, Space, grid, size
from raft_exp.core.errors import ConfigError, SweepError
from raft_exp.core.files import write_atomically
from raft_exp.core.schema import Positive, Seed, config_dataclass
from raft_exp.training.pruning import PRUNED, SearchTrial

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

Direction = Literal["maximize", "minimize"]
_TURNS = 3  # proposals of the sampler, before an untried point is chosen directly


@config_dataclass
class SearchConfig:
    """The settings of a search: the group `hydra.sweeper` with sweep=optuna."""

    n_trials: Positive  # number of different points that are tried, over all processes; failed ones do not count
    n_jobs: Positive  # number of trials that are launched together
    sampler: Literal["tpe", "random", "grid"]
    seed: Seed
    objective: str | list[str] | None
    direction: Direction | list[Direction]
    pruning: Literal["none", "median"]
    storage: str | None
    name: str | None


@dataclass(frozen=True)
class Trial:
    """A trial: one point of the search space, with its outcome."""

    number: int
    point: dict[str, str]  # setting -> value, as written in an override
    state: str  # running | complete | pruned | failed
    values: list[float]  # one for each objective; [] unless complete
    note: str = ""  # the error of a failed trial

    @property
    def overrides(self) -> list[str]:
        """The point as overrides: `name=value` for each setting."""
        return [f"{name}={value}" for name, value in self.point.items()]


class Search:
    """A search. Several processes can open it at the same time."""

    def __init__(
        self,
        config: SearchConfig,
        space: Space,
        directions: Sequence[Direction],
        identity: Mapping[str, object],
        file: Path,
    ) -> None:
        """Opens or creates the search in the SQLite file `file`.

        `identity`: JSON values that identify the search. Raises SweepError if the file has another search,
        ConfigError for a grid search over an interval.
        """
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if config.sampler == "grid" and size(space) is None:
            raise ConfigError(
                "hydra.sweeper.sampler: got 'grid', but a grid needs a list of values for each setting, and "
                "interval(...) has no list; use choice(...) or range(...), or another sampler"
            )
        self._config, self._space, self._file = config, space, file
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(file.with_suffix(".lock"))
        self._url = f"sqlite:///{file.absolute()}"
        with self._lock:
            self._study = optuna.create_study(
                storage=self._url, study_name=file.stem, directions=list(directions), load_if_exists=True
            )
            text = json.dumps(identity, sort_keys=True)
            if self._study.user_attrs.setdefault("what", text) != text:
                raise SweepError(f"{file}: holds another search; give another hydra.sweeper.name")
            self._study.set_user_attr("what", text)
        self._distributions = {name: _distribution(part) for name, part in space.items()}
        self._running: dict[int, optuna.Trial] = {}  # the trials of this process by number
        self._failed: set[str] = set()  # points that failed in this process, which does not try them again
        self._owner = uuid.uuid4().hex
        self._alive = FileLock(self._lock_file(self._owner))

    def __enter__(self) -> Self:
        self._alive.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._alive.release()
        self._lock_file(self._owner).unlink(missing_ok=True)

    def propose(self) -> Trial | None:
        """Returns a trial with an untried point; None after `n_trials` points, or if no untried point is found.

        A point that failed in this process is not proposed again.
        """
        from optuna.trial import TrialState

        with self._lock:
            self._retry_dead()
            known = {_key(point) for point in self._points(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)}
            if len(known) >= self._config.n_trials:
                return None
            known |= self._failed
            for trial in self._proposals(known):
                point = {name: _text(trial.params[name]) for name in self._space}
                if _key(point) not in known:
                    trial.set_user_attr("owner", self._owner)
                    self._running[trial.number] = trial
                    return Trial(trial.number, point, "running", [])
                self._study.tell(trial, state=TrialState.FAIL)
        return None

    def _proposals(self, known: set[str]) -> "Iterator[optuna.Trial]":
        """Yields proposals of the sampler, then an untried point, unless a setting has an interval.

        For a grid, proposals of the sampler are yielded only if points are queued.
        """
        for turn in range(_TURNS if self._config.sampler != "grid" or self._has_queued() else 0):
            self._study.sampler = self._sampler(f"{self._config.seed} {len(known)} {turn}")
            yield self._study.ask(self._distributions)
        untried = [point for point in grid(self._space) if _key(point) not in known]
        if untried:
            place = 0 if self._config.sampler == "grid" else random.Random(len(known)).randrange(len(untried))
            self._study.enqueue_trial(untried[place])
            yield self._study.ask(self._distributions)

    def _sampler(self, seed: str) -> "optuna.samplers.BaseSampler":
        import optuna

        number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
        if self._config.sampler == "tpe":
            return optuna.samplers.TPESampler(seed=number)
        return optuna.samplers.RandomSampler(seed=number)

    def _retry_dead(self) -> None:
        """Queues the points of unfinished trials whose process has died, so that they are proposed next."""
        from optuna.trial import TrialState

        for trial in self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            if self._is_dead(trial.user_attrs.get("owner")):
                self._study.enqueue_trial(trial.params)
                self._study.tell(trial.number, state=TrialState.FAIL)

    def _is_dead(self, owner: str | None) -> bool:
        if owner == self._owner:
            return False
        if owner is None:  # the process died within `propose`
            return True
        file = self._lock_file(owner)
        try:
            with FileLock(file).acquire(timeout=0):
                file.unlink(missing_ok=True)
        except Timeout:
            return False
        return True

    def _lock_file(self, owner: str) -> Path:
        return self._file.with_suffix(f".{owner}.alive")

    def _points(self, *states: "TrialState") -> list[dict[str, str]]:
        return [_point(trial) for trial in self._study.get_trials(deepcopy=False, states=states)]

    def _has_queued(self) -> bool:
        from optuna.trial import TrialState

        return bool(self._study.get_trials(deepcopy=False, states=[TrialState.WAITING]))

    def watch(self, trial: Trial, stage: str) -> Path:
        """Writes a file that connects the training `stage` to its trial, and returns the path.

        With this file the training reports its validation losses to the pruner, which can end the trial.
        """
        watch = SearchTrial(self._url, self._study.study_name, self._running[trial.number]._trial_id, stage)
        write_atomically(self._watch_file(trial), watch.as_json())
        return self._watch_file(trial)

    def _watch_file(self, trial: Trial) -> Path:
        return self._file.with_suffix(f".{trial.number}.watch")

    def finish(self, trial: Trial, values: Sequence[float]) -> None:
        """Stores the result of a trial: one value for each objective."""
        self._watch_file(trial).unlink(missing_ok=True)
        self._study.tell(trial.number, list(values))

    def fail(self, trial: Trial, error: str) -> bool:
        """Stores a trial without a result: as pruned if the pruner ended it, else as failed with the message `error`.

        Returns whether the trial was pruned.
        """
        from optuna.trial import TrialState

        self._watch_file(trial).unlink(missing_ok=True)
        stored = next(one for one in self._study.get_trials(deepcopy=False) if one.number == trial.number)
        if PRUNED in stored.user_attrs:
            self._study.tell(trial.number, state=TrialState.PRUNED)
            return True
        self._failed.add(_key(trial.point))
        self._running[trial.number].set_user_attr("error", error)
        self._study.tell(trial.number, state=TrialState.FAIL)
        return False

    def trials(self) -> list[Trial]:
        """Returns the trials in order. A point that failed and was tried again appears once."""
        from optuna.trial import TrialState

        states = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.RUNNING: "running"}
        by_point: dict[str, Trial] = {}
        for trial in self._study.get_trials(deepcopy=False):
            known, error = trial.state in states, str(trial.user_attrs.get("error", ""))
            if known or error:
                outcome = Trial(
                    trial.number,
                    _point(trial),
                    states.get(trial.state, "failed"),
                    list(trial.values or []) if trial.state == TrialState.COMPLETE else [],
                    "" if known else error,
                )
                if known or _key(outcome.point) not in by_point:
                    by_point[_key(outcome.point)] = outcome
        return sorted(by_point.values(), key=lambda trial: trial.number)

    def best(self) -> list[Trial]:
        """Returns [best trial]; with several objectives the Pareto front, sorted by the first objective, best first.

        Returns [] if no trial is complete.
        """
        numbers = [trial.number for trial in self._study.best_trials]
        best = [trial for trial in self.trials() if trial.number in numbers]
        sign = -1 if self._study.directions[0].name == "MAXIMIZE" else 1
        ordered = sorted(best, key=lambda trial: (sign * trial.values[0], trial.number))
        return ordered if len(self._study.directions) > 1 else ordered[:1]


def _distribution(part: Choices | Interval) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(part, Choices):
        return CategoricalDistribution(part.values)
    if part.whole:
        return IntDistribution(int(part.low), int(part.high), log=part.log)
    return FloatDistribution(part.low, part.high, log=part.log)


def _point(trial: "FrozenTrial") -> dict[str, str]:
    return {name: _text(value) for name, value in trial.params.items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _key(point: Mapping[str, str]) -> str:
    return json.dumps(point, sort_keys=True)
