"""Work after every optimiser step: validation, metrics, checkpoints, and the end of training on a signal."""

import csv
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NotRequired

import pytorch_lightning as lightning
import torch

from raft_exp.core import tracking
from raft_exp.core.errors import ModelError, StoppedError
from raft_exp.training import checkpoint, speed
from raft_exp.training.best_checkpoint import BestCheckpoint
from raft_exp.training.config import TrainerConfig
from raft_exp.training.data import TrainingBatch, collate
from raft_exp.training.loss import token_losses
from raft_exp.training.module import RaftModule, StepMetrics
from raft_exp.training.monitor import TrainingMonitor
from raft_exp.training.pruning import PrunedError, SearchTrial
from raft_exp.training.rows import Rows
from raft_exp.training.signals import NOTED
from raft_exp.training.step_figures import StepFigures

log = logging.getLogger(__name__)

COLUMNS = ("step", "loss", "learning_rate", "grad_norm", "tokens", "validation_loss")
METRICS = "metrics.csv"
TIMED = ("step", "seconds", "tokens", "tokens_per_second", "mfu", "peak_gib")
TIMINGS = "timings.csv"


class Metrics(StepMetrics):
    """A line of metrics.csv."""

    step: int
    tokens: int  # supervised tokens of the step
    validation_loss: NotRequired[float]  # absent for steps without a validation pass


class TrainingCallback(lightning.Callback):
    """Writes metrics.csv, timings.csv and the checkpoint into `out`, and computes the loss of the `validation` rows.

    metrics.csv contains no times, so that a resumed run writes the same bytes.
    """

    def __init__(self, out: Path, config: TrainerConfig, validation: Rows) -> None:
        self._out, self._config, self._validation = out, config, validation
        self._trial = SearchTrial.of(tracking.current_stage())  # None if a search cannot prune this training
        self.best = BestCheckpoint(out, config.keep == "best", config.early_stopping)

    def on_train_start(self, trainer: lightning.Trainer, module: RaftModule) -> None:
        """Restores the checkpoint, if there is one, and removes the lines of later steps from the CSV files."""
        if module.start:
            self.best.restore(checkpoint.restore(self._out, module, trainer.optimizers[0]))
        if trainer.is_global_zero:
            _truncate(self._out / METRICS, COLUMNS, module.start)
            _truncate(self._out / TIMINGS, TIMED, module.start)
        self._monitor, self._speed = TrainingMonitor(len(module.plan.steps)), speed.SpeedMeter(module)
        self._timed: dict[int, dict[str, float]] = {}  # step -> its speed, until the step is written

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: RaftModule, outputs: object, batch: TrainingBatch, batch_idx: int
    ) -> None:
        """After the last micro-batch of a step: writes metrics. Validates, saves or stops if this step requires it."""
        if (batch_idx + 1) % module.accumulate:
            return
        last = module.step == len(module.plan.steps)
        validates = len(self._validation) and (last or module.step % self._config.validate_every == 0)
        newest = bool(last or validates or module.step % self._config.checkpoint_every == 0)
        steps = module.finished_steps(newest)
        if any(module.stopped_by):
            steps += module.finished_steps(newest=True)
        # Timed here, because `finished_steps` blocks until the GPU has finished a step.
        self._timed[module.step] = self._speed.step(module.step - 1)
        loss = validation_loss(module, self._validation, self._config) if validates else None
        if loss is not None:
            self.best.validated(module, loss)
        written = self._write(trainer, module, steps, loss)
        module.updating = False
        self._checkpoint_or_stop(trainer, module, last)
        for metrics, timed in written:
            self._log(trainer, metrics, timed)
        if self._trial and loss is not None and not last:
            self._prune(trainer, self._trial, module.step, loss)
        self._speed.restart()

    def _write(
        self, trainer: lightning.Trainer, module: RaftModule, steps: Iterable[StepFigures], validated: float | None
    ) -> list[tuple[Metrics, dict[str, float]]]:
        """Writes and returns the metrics and speed of finished steps.

        `validated`: the validation loss after the module's current step; None without a validation pass.
        """
        lines: list[tuple[Metrics, dict[str, float]]] = []
        for step in steps:
            metrics: Metrics = {
                "step": step.step,
                "loss": step.loss,
                "learning_rate": step.learning_rate,
                "grad_norm": step.grad_norm,
                "tokens": module.plan.supervised(step.step - 1),
            }
            if validated is not None and step.step == module.step:
                metrics["validation_loss"] = validated
            timed = self._timed.pop(step.step)
            lines.append((metrics, timed))
            if trainer.is_global_zero:
                _append(self._out / METRICS, COLUMNS, metrics)
                _append(self._out / TIMINGS, TIMED, {"step": step.step, **speed.line(timed)})
                self._monitor.step(step.step, step.loss, step.grad_norm)
        return lines

    def _prune(self, trainer: lightning.Trainer, trial: SearchTrial, step: int, loss: float) -> None:
        """Raises PrunedError in all processes where the search's pruner ends the trial."""
        if trainer.strategy.broadcast(trainer.is_global_zero and trial.hopeless(step, loss)):
            raise PrunedError(f"validation loss {loss:.4g} at step {step} is above the median of earlier trials")

    def _checkpoint_or_stop(self, trainer: lightning.Trainer, module: RaftModule, last: bool) -> None:
        if last:
            return
        if self.best.given_up:
            trainer.should_stop = True
            return
        if any(module.stopped_by) or module.step % self._config.checkpoint_every == 0:
            self._save(trainer, module)
        if any(module.stopped_by):
            trainer.strategy.barrier()  # the other processes stay until the state is written
            names = "/".join(number.name for number, count in zip(NOTED, module.stopped_by, strict=True) if count)
            raise StoppedError(
                f"training was stopped by {names} after step {module.step} of {len(module.plan.steps)}; its state is "
                "saved, and the same command resumes it"
            )

    def _save(self, trainer: lightning.Trainer, module: RaftModule) -> None:
        if trainer.is_global_zero or module.sharded:
            checkpoint.save(self._out, module, trainer.optimizers[0], self.best.state)

    def on_exception(self, trainer: lightning.Trainer, module: RaftModule, exception: BaseException) -> None:
        """Saves the state after the last complete step, if the checkpoint is older.

        Saves nothing if the weights are sharded, or if the exception came between an update of the weights and its
        record in metrics.csv.
        """
        alone = trainer.is_global_zero and not module.sharded and not module.updating
        if alone and checkpoint.step(self._out) < module.step < len(module.plan.steps):
            try:
                self._write(trainer, module, module.finished_steps(newest=True), None)
            except (ModelError, RuntimeError):  # a step whose update was skipped, or a lost device
                return
            self._save(trainer, module)

    def _log(self, trainer: lightning.Trainer, metrics: Metrics, timed: Mapping[str, float]) -> None:
        figures: dict[str, object] = {f"train/{name}": value for name, value in metrics.items()}
        figures |= {f"speed/{name}": value for name, value in timed.items()}
        if not tracking.active().log_figures(trainer.loggers, figures, metrics["step"]):
            trainer.loggers = []


def validation_loss(module: RaftModule, rows: Rows, config: TrainerConfig) -> float:
    """Returns the mean negative log likelihood of `rows` in nats per supervised token, over all processes."""
    trainer, size = module.trainer, config.batch_size // module.accumulate // module.trainer.world_size
    longest_first = sorted(range(len(rows)), key=lambda number: (-int(rows.lengths[number]), rows.ids[number]))
    mine = longest_first[trainer.global_rank :: trainer.world_size]
    batches = [mine[start : start + size] for start in range(0, len(mine), size)]
    if module.sharded:  # a forward pass gathers weights from all processes: all need the same number of passes
        batches += [[]] * (-(-len(longest_first[:: trainer.world_size]) // size) - len(batches))
    total = torch.zeros(1, dtype=torch.float64, device=module.device)
    module.model.eval()
    for numbers in batches:
        batch = trainer.strategy.batch_to_device(collate(rows, numbers, config.packs()), module.device)
        with torch.no_grad(), trainer.precision_plugin.val_step_context():
            total += token_losses(module.model, batch).double().sum()
    module.model.train()
    return float(trainer.strategy.reduce(total, reduce_op="sum")) / int(rows.completions.sum())


def _append(path: Path, columns: Iterable[str], row: Mapping[str, object]) -> None:
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, list(columns), lineterminator="\n").writerow(row)


def _truncate(path: Path, columns: Iterable[str], step: int) -> None:
    """Cuts a CSV file to its header and the lines up to `step`. Later steps are repeated after a resume."""
    lines: Iterable[str] = ()
    if step and path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[1 : step + 1]
    path.write_text(",".join(columns) + "\n" + "".join(lines), encoding="utf-8")
