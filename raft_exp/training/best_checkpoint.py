"""The weights with the lowest validation loss so far, and when to stop waiting for better ones."""

import math
from pathlib import Path
from typing import Any

from raft_exp.training import checkpoint

_PATTERN = "best_*.safetensors"


class BestCheckpoint:
    """`patience`: validation passes without a lower loss after which training stops; None: it never does."""

    def __init__(self, out: Path, keep: bool, patience: int | None) -> None:
        self._out, self._keep, self._patience = out, keep, patience
        self._loss, self._step, self._waited = math.inf, 0, 0

    @property
    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"loss": None if math.isinf(self._loss) else self._loss, "step": self._step, "waited": self._waited}

    def restore(self, state: dict[str, Any]) -> None:
        """From the checkpoint."""
        self._loss = math.inf if state["loss"] is None else state["loss"]
        self._step, self._waited = state["step"], state["waited"]

    def validated(self, module: Any, loss: float) -> None:
        """Takes note of a validation pass. All processes call it with the same loss."""
        if not loss < self._loss:
            self._waited += 1
            return
        before, self._loss, self._step, self._waited = self._step, loss, module.step, 0
        if self._keep:
            checkpoint.save_weights(self.path, module)
            if module.trainer.is_global_zero:  # the one before: a checkpoint may still stand at it
                for old in self._out.glob(_PATTERN):
                    if old not in (self.path, self._file(before)):
                        old.unlink()

    @property
    def path(self) -> Path:
        """Where the weights are."""
        return self._file(self._step)

    def _file(self, step: int) -> Path:
        return self._out / f"best_{step}.safetensors"

    @property
    def given_up(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self._patience is not None and self._waited >= self._patience


def remove(out: Path) -> None:
    """Takes the files away."""
    for file in [*out.glob(_PATTERN), *out.glob(f"{_PATTERN}.new")]:
        file.unlink()
