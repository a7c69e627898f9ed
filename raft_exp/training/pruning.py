"""Pruning of a search's trials: a training ends when its validation loss is above the median of earlier trials.

The training may run in another process or on another machine than the search. The environment variable RAFT_EXP_TRIAL
names a file with the trial; without it there is no pruning.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from raft_exp.core.errors import RaftError

VARIABLE = "RAFT_EXP_TRIAL"
PRUNED = "pruned"  # attribute of a pruned trial: the step of its end


class PrunedError(RaftError):
    """Ends the training of a pruned trial."""


@dataclass(frozen=True)
class SearchTrial:
    """The trial of a search that a training belongs to."""

    storage: str
    study: str
    trial: int  # Optuna's id, not its number
    stage: str  # the training whose loss is reported: a study may have several

    def as_json(self) -> str:
        """The content of the file that RAFT_EXP_TRIAL names."""
        return json.dumps(asdict(self))

    @staticmethod
    def of(stage: str) -> "SearchTrial | None":
        """The trial that this training stage reports to; None where it reports to none."""
        file = os.environ.get(VARIABLE)
        if not file:
            return None
        trial = SearchTrial(**json.loads(Path(file).read_text(encoding="utf-8")))
        return trial if trial.stage == stage else None

    def hopeless(self, step: int, loss: float) -> bool:
        """Reports the validation loss of a step to the search. Returns whether the trial should end."""
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
