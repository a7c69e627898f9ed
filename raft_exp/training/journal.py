"""What is done after every optimiser step: validate, write down, keep a checkpoint."""

import csv
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch

from raft_exp import tracking
from raft_exp.sweep.pruning import PrunedError, Watch
from raft_exp.training import checkpoint
from raft_exp.training.config import TrainerConfig
from raft_exp.training.data import collate
from raft_exp.training.loss import token_losses
from raft_exp.training.module import RaftModule
from raft_exp.training.rows import Rows

COLUMNS = ("step", "loss", "learning_rate", "grad_norm", "tokens", "validation_loss")
METRICS = "metrics.csv"


class Journal(lightning.Callback):
    """Keeps metrics.csv (no times in it: a resumed run writes the same bytes) and the checkpoint."""

    def __init__(self, out: Path, config: TrainerConfig, validation: Rows) -> None:
        self._out, self._config, self._validation = out, config, validation
        self._clock = 0.0  # when the step began
        self._watch = Watch.of(tracking.running())  # of a search that prunes

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Goes back to the checkpoint, if the module is to start from one."""
        self._clock = time.perf_counter()
        if module.start:
            checkpoint.restore(self._out, module, trainer.optimizers[0])
        if trainer.is_global_zero:
            _truncate(self._out / METRICS, module.start)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Acts when the micro-batch was its step's last."""
        if (batch_idx + 1) % self._config.accumulate:
            return
        last = module.step == len(module.plan.steps)
        metrics = {"step": module.step, **module.step_metrics, "tokens": module.plan.supervised(module.step - 1)}
        if len(self._validation) and (last or module.step % self._config.validate_every == 0):
            metrics["validation_loss"] = validation_loss(module, self._validation, self._config)
        if trainer.is_global_zero:
            with (self._out / METRICS).open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(metrics)
            if not last and module.step % self._config.checkpoint_every == 0:
                checkpoint.save(self._out, module, trainer.optimizers[0])
        self._log(trainer, metrics)
        if self._watch and "validation_loss" in metrics and not last:
            self._go_on(trainer, self._watch, module.step, metrics["validation_loss"])

    def _go_on(self, trainer: lightning.Trainer, watch: Watch, step: int, loss: float) -> None:
        """Ends the training, in all processes at once, where its search has no hope for it."""
        if trainer.strategy.broadcast(trainer.is_global_zero and watch.hopeless(step, loss)):
            raise PrunedError(f"validation loss {loss:.4g} at step {step} is above the median of earlier trials")

    def _log(self, trainer: lightning.Trainer, metrics: dict[str, Any]) -> None:
        now = time.perf_counter()
        speed = {"tokens_per_second": metrics["tokens"] / (now - self._clock)}
        self._clock = now
        for logger in trainer.loggers:
            logger.log_metrics({f"train/{name}": value for name, value in (metrics | speed).items()}, metrics["step"])


def validation_loss(module: RaftModule, rows: Rows, config: TrainerConfig) -> float:
    """Mean over all supervised tokens of all rows; every process computes its share."""
    trainer, size = module.trainer, config.batch_size // config.accumulate // module.trainer.world_size
    longest_first = sorted(range(len(rows)), key=lambda number: (-int(rows.lengths[number]), rows.ids[number]))
    mine = longest_first[trainer.global_rank :: trainer.world_size]
    total = torch.zeros(1, dtype=torch.float64, device=module.device)
    module.model.eval()
    for start in range(0, len(mine), size):
        batch = trainer.strategy.batch_to_device(
            collate(rows, mine[start : start + size], config.packing), module.device
        )
        with torch.no_grad(), trainer.precision_plugin.val_step_context():
            total += token_losses(module.model, batch).double().sum()
    module.model.train()
    return float(trainer.strategy.reduce(total, reduce_op="sum")) / int(rows.completions.sum())


def _truncate(path: Path, step: int) -> None:
    """Leaves the header and the rows up to `step`: what came after the checkpoint comes again."""
    kept: Iterable[str] = ()
    if step and path.exists():
        kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[1 : step + 1]
    path.write_text(",".join(COLUMNS) + "\n" + "".join(kept), encoding="utf-8")
