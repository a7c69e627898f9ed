"""A progress bar on the terminal, and none where standard error is a file."""

import sys
from typing import Any

import pytorch_lightning as lightning
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressBar(lightning.Callback):
    """Steps done, the loss, and the time that is left."""

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Shows the bar, at the step where training goes on."""
        columns = (TextColumn("train"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]}"))
        self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(file=sys.stderr), transient=True)
        self._task = self._bar.add_task("train", total=len(module.plan.steps), completed=module.step, loss="-")
        self._bar.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar."""
        if module.step_metrics:
            self._bar.update(self._task, completed=module.step, loss=f"{module.step_metrics['loss']:.3f}")

    def on_train_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Takes the bar away."""
        self._bar.stop()

    def on_exception(self, trainer: lightning.Trainer, module: Any, exception: BaseException) -> None:
        """Takes the bar away before the error is shown."""
        if hasattr(self, "_bar"):
            self._bar.stop()
