"""The weights with the lowest validation loss so far, and early stopping."""

import math
from pathlib import Path

from raft_exp.training import checkpoint
from raft_exp.training.checkpoint import BestState
from raft_exp.training.module import RaftModule

_PATTERN = "best_*.safetensors"


class BestCheckpoint:
    """Tracks the lowest validation loss. If `keep` is true, stores the weights of that step in `out`.

    `patience`: the number of consecutive validation passes without a lower loss after which training stops; None: no
    early stopping.
    """

    def __init__(self, out: Path, keep: bool, patience: int | None) -> None:
        self._out, self._keep, self._patience = out, keep, patience
        self._loss, self._step, self._waited = math.inf, 0, 0

    @property
    def state(self) -> BestState:
        """The state to store in a checkpoint."""
        return {"loss": None if math.isinf(self._loss) else self._loss, "step": self._step, "waited": self._waited}

    def restore(self, state: BestState) -> None:
        """Restores the state from a checkpoint."""
        self._loss = math.inf if state["loss"] is None else state["loss"]
        self._step, self._waited = state["step"], state["waited"]

    def validated(self, module: RaftModule, loss: float) -> None:
        """Records the loss of a validation pass, and saves the weights if this loss is the lowest so far.

        All processes must call this method, with the same loss.
        """
        if not loss < self._loss:
            self._waited += 1
            return
        previous, self._loss, self._step, self._waited = self._step, loss, module.step, 0
        if self._keep:
            checkpoint.save_weights(self.path, module)
            if module.trainer.is_global_zero:
                for file in self._out.glob(_PATTERN):
                    if file not in (self.path, self._file(previous)):  # a resume may need the previous file
                        file.unlink()

    @property
    def path(self) -> Path:
        """The file of the best weights; it does not exist before the first validation pass, or if `keep` is false."""
        return self._file(self._step)

    def _file(self, step: int) -> Path:
        return self._out / f"best_{step}.safetensors"

    @property
    def given_up(self) -> bool:
        """Whether the last `patience` validation passes brought no lower loss."""
        return self._patience is not None and self._waited >= self._patience


def remove(out: Path) -> None:
    """Deletes the files of best weights in `out`."""
    for file in [*out.glob(_PATTERN), *out.glob(f"{_PATTERN}.new")]:
        file.unlink()
