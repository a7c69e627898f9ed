"""A search for good settings, on Optuna's ask and tell: kept in SQLite, so that it goes on and is shared.

No point is tried twice, in any process. A trial whose process has died is found by the lock that the process held, and
tried again. What is proposed depends only on the seed and on the trials so far: a search that was killed goes on to the
points that it would have tried.
"""

import hashlib
import json
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from filelock import FileLock, Timeout

from raft_exp.apps.sweep.space import Choices, Space, grid, size
from raft_exp.core.errors import ConfigError, SweepError
from raft_exp.core.files import write_atomically
from raft_exp.core.schema import Positive, Seed, config_dataclass
from raft_exp.training.pruning import PRUNED, SearchTrial

Direction = Literal["maximize", "minimize"]
_TURNS = 3  # proposals that were tried before, until an untried point is taken instead


@config_dataclass
class SearchConfig:
    """How to search; `hydra.sweeper` of sweep=optuna."""

    n_trials: Positive  # distinct points that end with a result or are pruned, over all processes
    n_jobs: Positive  # trials launched together
    sampler: Literal["tpe", "random", "grid"]
    seed: Seed
    objective: str | list[str] | None
    direction: Direction | list[Direction]
    pruning: Literal["none", "median"]
    storage: str | None
    name: str | None


@dataclass(frozen=True)
class Trial:
    """A point of the space, as overrides say it, and what came of it."""

    number: int
    point: dict[str, str]
    state: str  # running | complete | pruned | failed
    values: list[float]
    note: str = ""

    @property
    def overrides(self) -> list[str]:
        """The point on a command line."""
        return [f"{name}={value}" for name, value in self.point.items()]


class Search:
    """One search; several processes may open it at once."""

    def __init__(
        self, config: SearchConfig, space: Space, directions: Sequence[Direction], what: Mapping[str, Any], file: Path
    ) -> None:
        """`what` says which search this is, as JSON: another one under the same name is refused."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if config.sampler == "grid" and size(space) is None:
            raise ConfigError(
                "hydra.sweeper.sampler: got 'grid', but an interval has no end of values; give choices or a range"
            )
        self._config, self._space, self._file = config, space, file
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(file.with_suffix(".lock"))
        self._url = f"sqlite:///{file.absolute()}"
        with self._lock:
            self._study = optuna.create_study(
                storage=self._url, study_name=file.stem, directions=list(directions), load_if_exists=True
            )
            told = json.dumps(what, sort_keys=True)
            if self._study.user_attrs.setdefault("what", told) != told:
                raise SweepError(f"{file}: holds another search; give another hydra.sweeper.name")
            self._study.set_user_attr("what", told)
        self._distributions = {name: _distribution(part) for name, part in space.items()}
        self._asked: dict[int, Any] = {}  # number -> Optuna's trial, of this process
        self._failed: set[str] = set()  # points that failed in this process: not again before it is started anew
        self._owner = uuid.uuid4().hex
        self._alive = FileLock(self._mark(self._owner))

    def __enter__(self) -> Self:
        self._alive.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._alive.release()
        self._mark(self._owner).unlink(missing_ok=True)

    def propose(self) -> Trial | None:
        """A point that nobody has tried; None when there are enough, or no more."""
        from optuna.trial import TrialState

        with self._lock:
            self._take_over()
            known = {_key(point) for point in self._points(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)}
            if len(known) >= self._config.n_trials:
                return None
            known |= self._failed
            for asked in self._asks(known):
                point = {name: _text(asked.params[name]) for name in self._space}
                if _key(point) not in known:
                    asked.set_user_attr("owner", self._owner)
                    self._asked[asked.number] = asked
                    return Trial(asked.number, point, "running", [])
                self._study.tell(asked, state=TrialState.FAIL)
        return None

    def _asks(self, known: set[str]) -> Iterator[Any]:
        """Optuna's proposals; then, or at once for a grid, the points that are left."""
        waiting = bool(self._points_waiting())
        for turn in range(_TURNS if self._config.sampler != "grid" or waiting else 0):
            self._study.sampler = self._sampler(f"{self._config.seed} {len(known)} {turn}")
            yield self._study.ask(self._distributions)
        left = [point for point in grid(self._space) if _key(point) not in known]
        if left:
            place = 0 if self._config.sampler == "grid" else random.Random(len(known)).randrange(len(left))
            self._study.enqueue_trial(left[place])
            yield self._study.ask(self._distributions)

    def _sampler(self, seed: str) -> Any:
        import optuna

        drawn = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
        if self._config.sampler == "tpe":
            return optuna.samplers.TPESampler(seed=drawn)
        return optuna.samplers.RandomSampler(seed=drawn)

    def _take_over(self) -> None:
        """Trials whose process has died are tried again, first of all."""
        from optuna.trial import TrialState

        for trial in self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            if self._dead(trial.user_attrs.get("owner")):
                self._study.enqueue_trial(trial.params)
                self._study.tell(trial.number, state=TrialState.FAIL)

    def _dead(self, owner: str | None) -> bool:
        if owner == self._owner:
            return False
        if owner is None:  # it died between two lines of `propose`
            return True
        mark = self._mark(owner)
        try:
            with FileLock(mark).acquire(timeout=0):
                mark.unlink(missing_ok=True)
        except Timeout:
            return False
        return True

    def _mark(self, owner: str) -> Path:
        return self._file.with_suffix(f".{owner}.alive")

    def _points(self, *states: Any) -> list[dict[str, str]]:
        return [_point(trial) for trial in self._study.get_trials(deepcopy=False, states=states)]

    def _points_waiting(self) -> list[Any]:
        from optuna.trial import TrialState

        return self._study.get_trials(deepcopy=False, states=[TrialState.WAITING])

    def watch(self, trial: Trial, stage: str) -> Path:
        """A file that lets the training `stage` of a trial ask whether to go on."""
        watch = SearchTrial(self._url, self._study.study_name, self._asked[trial.number]._trial_id, stage)
        write_atomically(self._watched(trial), watch.as_json())
        return self._watched(trial)

    def _watched(self, trial: Trial) -> Path:
        return self._file.with_suffix(f".{trial.number}.watch")

    def finish(self, trial: Trial, values: Sequence[float]) -> None:
        """Tells what came of a trial, one value an objective."""
        self._watched(trial).unlink(missing_ok=True)
        self._study.tell(trial.number, list(values))

    def fail(self, trial: Trial, why: str) -> bool:
        """Tells that a trial has no result. Whether it ended because it was pruned, which is one."""
        from optuna.trial import TrialState

        self._watched(trial).unlink(missing_ok=True)
        found = next(one for one in self._study.get_trials(deepcopy=False) if one.number == trial.number)
        if PRUNED in found.user_attrs:
            self._study.tell(trial.number, state=TrialState.PRUNED)
            return True
        self._failed.add(_key(trial.point))
        self._asked[trial.number].set_user_attr("error", why)
        self._study.tell(trial.number, state=TrialState.FAIL)
        return False

    def trials(self) -> list[Trial]:
        """What was tried, in order; a point that failed and came again stands there once."""
        from optuna.trial import TrialState

        states = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.RUNNING: "running"}
        shown: dict[str, Trial] = {}
        for trial in self._study.get_trials(deepcopy=False):
            known, error = trial.state in states, str(trial.user_attrs.get("error", ""))
            if known or error:
                found = Trial(
                    trial.number,
                    _point(trial),
                    states.get(trial.state, "failed"),
                    list(trial.values or []) if trial.state == TrialState.COMPLETE else [],
                    "" if known else error,
                )
                if known or _key(found.point) not in shown:
                    shown[_key(found.point)] = found
        return sorted(shown.values(), key=lambda trial: trial.number)

    def best(self) -> list[Trial]:
        """The best trial; with several objectives those that no other beats in all of them, best first one first."""
        numbers = [trial.number for trial in self._study.best_trials]
        found = [trial for trial in self.trials() if trial.number in numbers]
        sign = -1 if self._study.directions[0].name == "MAXIMIZE" else 1
        ordered = sorted(found, key=lambda trial: (sign * trial.values[0], trial.number))
        return ordered if len(self._study.directions) > 1 else ordered[:1]


def _distribution(part: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(part, Choices):
        return CategoricalDistribution(part.values)
    if part.whole:
        return IntDistribution(int(part.low), int(part.high), log=part.log)
    return FloatDistribution(part.low, part.high, log=part.log)


def _point(trial: Any) -> dict[str, str]:
    return {name: _text(value) for name, value in trial.params.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _key(point: Mapping[str, str]) -> str:
    return json.dumps(point, sort_keys=True)
