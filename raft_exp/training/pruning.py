"""Pruning in a hyperparameter search: a training ends if its validation loss is above the median of earlier trials.

Optuna's MedianPruner compares the trial's lowest loss so far with the median loss of the completed trials at the same
step. It prunes no trial before five trials are completed.

The search and the training may run in different processes or on different machines. The environment variable
RAFT_EXP_TRIAL names a file that describes the trial; without the variable there is no pruning.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from raft_exp.core.errors import RaftError

VARIABLE = "RAFT_EXP_TRIAL"
PRUNED = "pruned"  # Optuna attribute of a pruned trial: the step at which it ended


class PrunedError(RaftError):
    """Raised to end the training of a pruned trial."""


@dataclass(frozen=True)
class SearchTrial:
    """The trial of a hyperparameter search to which a training belongs."""

    storage: str  # URL of Optuna's storage
    study: str  # name of Optuna's study
    trial: int  # Optuna's id, not its number
    stage: str  # label of the training whose loss is reported, as a study may have several trainings

    def as_json(self) -> str:
        """Returns the trial as JSON, for the file that RAFT_EXP_TRIAL names."""
        return json.dumps(asdict(self))

    @staticmethod
    def of(stage: str) -> "SearchTrial | None":
        """Returns the trial to which a training stage reports its loss; None for other stages and without a search.

        `stage`: label of the stage, such as `train[raft]`.
        """
        file = os.environ.get(VARIABLE)
        if not file:
            return None
        trial = SearchTrial(**json.loads(Path(file).read_text(encoding="utf-8")))
        return trial if trial.stage == stage else None

    def hopeless(self, step: int, loss: float) -> bool:
        """Reports the validation loss of a step to the search. Returns whether the search prunes the trial.

        If so, records the step in the trial.
        """
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.load_study(
            study_name=self.study, storage=self.storage, pruner=optuna.pruners.MedianPruner(n_startup_trials=5)
        )
        trial = optuna.trial.Trial(study, self.trial)
        # The pruner follows the direction of the search's objective; a lower loss is always better.
        trial.report(-loss if study.direction.name == "MAXIMIZE" else loss, step)
        if not trial.should_prune():
            return False
        trial.set_user_attr(PRUNED, step)
        return True
