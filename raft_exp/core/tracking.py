"""Which stage this process runs, and who takes its figures besides the files of the store.

The process that runs a study activates a tracker (W&B: `raft_exp.reporting.wandb.tracker`); the rooms below speak to it
through this seam. Without one nothing is sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Tracker(Protocol):
    """Takes figures of a study. No method raises: what cannot be sent is a warning."""

    def training_loggers(self, stage: str) -> list[Any]:
        """Lightning loggers of a training stage, which belong to one run of the tracker."""

    def log_figures(self, loggers: Sequence[Any], figures: Mapping[str, Any], step: int) -> bool:
        """Sends figures of a training step to its loggers; False when they take no more."""

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Sends a table to the run that this process has."""

    def end_run(self) -> None:
        """Ends the run that this process has, if it has one, so that the next stage starts its own."""


class NoTracker:
    """Sends nothing: the files of the store are all there is."""

    def training_loggers(self, stage: str) -> list[Any]:
        """None."""
        return []

    def log_figures(self, loggers: Sequence[Any], figures: Mapping[str, Any], step: int) -> bool:
        """Sends nothing."""
        return True

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Sends nothing."""

    def end_run(self) -> None:
        """There is no run."""


_active: Tracker = NoTracker()
_stage = ""


def activate(tracker: Tracker) -> None:
    """Sets the tracker of the study that this process works for."""
    global _active
    _active = tracker


def active() -> Tracker:
    """The tracker of the study that this process works for."""
    return _active


def enter_stage(label: str) -> None:
    """Names the stage that this process runs from now on: `train[raft]`."""
    global _stage
    _stage = label


def current_stage() -> str:
    """The label of the stage that this process runs; "" before the first."""
    return _stage
