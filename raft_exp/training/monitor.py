"""Warnings about a loss that does not fall and about exploding gradients. Each is logged once per training."""

import logging
import statistics
from collections import deque

log = logging.getLogger(__name__)

_WINDOW = 25  # steps
_FALLS = 0.98  # the mean loss of the last steps must be below this share of the mean of the first steps
_EXPLODES = 30.0  # a gradient norm above this multiple of the median of recent norms


class TrainingMonitor:
    """Checks the loss and the gradient norm of each step. `steps`: number of steps of the whole training."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_WINDOW)
        self._norms: deque[float] = deque(maxlen=2 * _WINDOW)
        self._warned: set[str] = set()

    def step(self, step: int, loss: float, norm: float) -> None:
        """Adds an optimiser step. `norm`: norm of the gradient before clipping."""
        if len(self._first) < _WINDOW:
            self._first.append(loss)
        self._last.append(loss)
        if step % (2 * _WINDOW) == 0 or step == self._steps:
            self._check_losses(step)
        if len(self._norms) == self._norms.maxlen and norm > _EXPLODES * statistics.median(self._norms):
            usual = statistics.median(self._norms)
            self._warn(
                "norms",
                f"step {step}: the gradient's norm is {norm:.3g}; the median of recent steps is {usual:.3g}; "
                "if grad_norm in metrics.csv is so high again, lower trainer.learning_rate or trainer.gradient_clip",
            )
        self._norms.append(norm)

    def _check_losses(self, step: int) -> None:
        if step < 2 * _WINDOW or len(self._first) < _WINDOW:
            return
        first, last = statistics.fmean(self._first), statistics.fmean(self._last)
        if last > _FALLS * first:
            self._warn(
                "losses",
                f"step {step}: the loss does not fall: its mean is {last:.4g} over the last {_WINDOW} steps and "
                f"{first:.4g} over the first {_WINDOW}; check trainer.learning_rate, and the rows with preview=3",
            )

    def _warn(self, subject: str, message: str) -> None:
        if subject not in self._warned:
            self._warned.add(subject)
            log.warning(message)
