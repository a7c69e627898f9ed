"""Copies the figures of optimiser steps from the device to the CPU.

Reading a figure blocks the CPU until the device has finished the step. On a GPU the figures are therefore copied
asynchronously and read after the next step has been queued, so that the GPU always has work.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class StepFigures:
    """The figures of one optimiser step."""

    step: int  # counted from 1
    learning_rate: float
    loss: float
    signals: list[float]  # number of signals so far, over all processes, in the order of signals.NOTED
    grad_norm: float  # before clipping


@dataclass(frozen=True)
class _Copy:
    step: int
    learning_rate: float
    values: Tensor  # on the CPU; complete after the event `done`
    done: torch.cuda.Event | None


class FigureQueue:
    """A queue of figures that are being copied to the CPU, in the order of their steps."""

    def __init__(self) -> None:
        self._copies: list[_Copy] = []

    def put(self, step: int, learning_rate: float, values: Tensor) -> None:
        """Starts the copy of a step's figures. `values`: loss, signals, gradient norm; shape (1 + signals + 1,)."""
        if values.device.type != "cuda":
            self._copies.append(_Copy(step, learning_rate, values, None))
            return
        copy = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        copy.copy_(values, non_blocking=True)
        done = torch.cuda.Event()
        done.record()
        self._copies.append(_Copy(step, learning_rate, copy, done))

    def take(self, newest: bool) -> list[StepFigures]:
        """Removes the figures of all steps except the last from the queue, and returns them.

        With `newest`, includes the last step; this blocks until the device has finished it.
        """
        ready = self._copies if newest else self._copies[:-1]
        self._copies = [] if newest else self._copies[-1:]
        return [_read(copy) for copy in ready]


def _read(copy: _Copy) -> StepFigures:
    if copy.done is not None:
        copy.done.synchronize()
    loss, *signals, norm = copy.values.tolist()
    return StepFigures(copy.step, copy.learning_rate, loss, signals, norm)
