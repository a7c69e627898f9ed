"""Ends a trial of a search whose training is hopeless: its validation loss is above the median of earlier trials.

The training may run in a process of its own, or on another machine. An environment variable names a file that says
which trial it belongs to; without it nothing here does anything.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from raft_exp.core.errors import RaftError

VARIABLE = "RAFT_EXP_TRIAL"
PRUNED = "pruned"  # the trial's attribute that says so


class PrunedError(RaftError):
    """A trial of a search that ends before its time."""


@dataclass(frozen=True)
class SearchTrial:
    """Which trial a training belongs to."""

    storage: str
    study: str
    trial: int  # Optuna's id, not its number
    stage: str  # the training that tells: a study may have several

    def as_json(self) -> str:
        """The content of the file."""
        return json.dumps(asdict(self))

    @staticmethod
    def of(stage: str) -> "SearchTrial | None":
        """The trial that this training stage tells its losses to, if it does."""
        file = os.environ.get(VARIABLE)
        if not file:
            return None
        found = SearchTrial(**json.loads(Path(file).read_text(encoding="utf-8")))
        return found if found.stage == stage else None

    def hopeless(self, step: int, loss: float) -> bool:
        """Notes the validation loss at a step; whether the trial should end."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.load_study(
            study_name=self.study, storage=self.storage, pruner=optuna.pruners.MedianPruner(n_startup_trials=5)
        )
        trial = optuna.trial.Trial(study, self.trial)
        # Optuna looks at the objective's direction, and a loss is better when it is less
        trial.report(-loss if study.direction.name == "MAXIMIZE" else loss, step)
        if not trial.should_prune():
            return False
        trial.set_user_attr(PRUNED, step)
        return True
