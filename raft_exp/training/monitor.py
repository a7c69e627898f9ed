"""Warnings about a training that goes wrong, each logged once."""

import logging
import statistics
from collections import deque

log = logging.getLogger(__name__)

_WINDOW = 25  # steps
_FALLS = 0.98  # the mean loss of the last steps must be below this share of the mean of the first steps
_EXPLODES = 30.0  # a gradient norm above this multiple of the median of recent norms


class TrainingMonitor:
    """Watches loss and gradient norm of every step, on one process."""

    def __init__(self, steps: int) -> None:
        self._steps = steps  # of the whole training
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_WINDOW)
        self._norms: deque[float] = deque(maxlen=2 * _WINDOW)
        self._warned: set[str] = set()

    def step(self, step: int, loss: float, norm: float) -> None:
        """One optimiser step; `norm` is the gradient's, before it is clipped."""
        if len(self._first) < _WINDOW:
            self._first.append(loss)
        self._last.append(loss)
        if step % (2 * _WINDOW) == 0 or step == self._steps:
            self._check_losses(step)
        if len(self._norms) == self._norms.maxlen and norm > _EXPLODES * statistics.median(self._norms):
            usual = statistics.median(self._norms)
            self._warn(
                "norms",
                f"step {step}: the gradient's norm is {norm:.3g}, where {usual:.3g} was usual; "
                "if that happens again, lower trainer.learning_rate or trainer.gradient_clip",
            )
        self._norms.append(norm)

    def _check_losses(self, step: int) -> None:
        if step < 2 * _WINDOW or len(self._first) < _WINDOW:
            return
        first, last = statistics.fmean(self._first), statistics.fmean(self._last)
        if last > _FALLS * first:
            self._warn(
                "losses",
                f"step {step}: the loss does not fall: {last:.4g} on average over the last {_WINDOW} steps, "
                f"{first:.4g} over the first; look at trainer.learning_rate and at the rows (preview=3)",
            )

    def _warn(self, subject: str, message: str) -> None:
        if subject not in self._warned:
            self._warned.add(subject)
            log.warning(message)
