"""A progress bar of the training on the terminal."""

import math
import sys

import pytorch_lightning as lightning
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from raft_exp.core.screen import Console
from raft_exp.training.data import TrainingBatch
from raft_exp.training.module import RaftModule


class ProgressBar(lightning.Callback):
    """Shows finished steps, the loss and the remaining time on standard error."""

    def on_train_start(self, trainer: lightning.Trainer, module: RaftModule) -> None:
        """Shows the bar, at the step at which training starts or resumes."""
        columns = (TextColumn("train"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]}"))
        self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(file=sys.stderr), transient=True)
        self._task = self._bar.add_task("train", total=len(module.plan.steps), completed=module.step, loss="-")
        self._bar.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: RaftModule, outputs: object, batch: TrainingBatch, batch_idx: int
    ) -> None:
        """Updates the bar with the finished steps and the loss."""
        if not math.isnan(loss := module.step_metrics["loss"]):
            self._bar.update(self._task, completed=module.step, loss=f"{loss:.3f}")

    def on_train_end(self, trainer: lightning.Trainer, module: RaftModule) -> None:
        """Removes the bar."""
        self._bar.stop()

    def on_exception(self, trainer: lightning.Trainer, module: RaftModule, exception: BaseException) -> None:
        """Removes the bar before the error is shown."""
        if hasattr(self, "_bar"):
            self._bar.stop()
