"""The tracker to which a study sends its figures (W&B), and the stage that this process runs.

The process that runs a study activates its tracker (`raft_exp.reporting.wandb.tracker`). Stages log figures through
`active()`, so that they do not import the tracker. The default tracker sends nothing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger


class Tracker(Protocol):
    """Sends the figures of a study. No method raises: a failure is logged as a warning."""

    def training_loggers(self, stage: str) -> "list[Logger]":
        """Returns the Lightning loggers of a training stage. They belong to one run of the tracker."""

    def log_figures(self, loggers: "Sequence[Logger]", figures: Mapping[str, object], step: int) -> bool:
        """Sends figures of a training step to the loggers; returns False when the loggers have failed."""

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Sends a table to the tracker run of this process."""

    def end_run(self) -> None:
        """Ends the tracker run of this process, if there is one, so that the next stage starts its own."""


class NoTracker:
    """The default tracker: sends nothing. All figures are also in the files of the store."""

    def training_loggers(self, stage: str) -> "list[Logger]":
        """Returns no loggers."""
        return []

    def log_figures(self, loggers: "Sequence[Logger]", figures: Mapping[str, object], step: int) -> bool:
        """Sends nothing and returns True."""
        return True

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Sends nothing."""

    def end_run(self) -> None:
        """Does nothing."""


_active: Tracker = NoTracker()
_stage = ""


def activate(tracker: Tracker) -> None:
    """Sets the tracker that `active` returns in this process."""
    global _active
    _active = tracker


def active() -> Tracker:
    """Returns the tracker of this process's study; a NoTracker before `activate`."""
    return _active


def enter_stage(label: str) -> None:
    """Sets the label of the stage that this process runs: `train[raft]`."""
    global _stage
    _stage = label


def current_stage() -> str:
    """Returns the label of the stage that this process runs; "" before the first."""
    return _stage
