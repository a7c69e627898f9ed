"""Runs one training with Lightning, from the start or from a checkpoint."""

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytorch_lightning as lightning
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import Strategy
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from raft_exp.core.errors import ModelError
from raft_exp.models.loading import cpu_threads, is_out_of_memory
from raft_exp.training import checkpoint
from raft_exp.training.callback import TrainingCallback
from raft_exp.training.config import TrainerConfig
from raft_exp.training.data import TrainingPlan
from raft_exp.training.module import RaftModule
from raft_exp.training.progress import ProgressBar
from raft_exp.training.rows import Rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def fit(
    model: "PreTrainedModel",
    config: TrainerConfig,
    plan: TrainingPlan,
    validation: Rows,
    seed: int,
    out: Path,
    loggers: list[Logger],
) -> tuple[RaftModule, TrainingCallback]:
    """Trains `model` in place, from the checkpoint in `out` if there is one.

    Returns the module, and the callback with the best checkpoint. Raises ModelError for settings that Lightning
    rejects, when memory is exhausted, and for a loss or gradient that is not finite. Raises ConfigError where the batch
    size does not fit the number of devices, StoppedError after a signal, and PrunedError where a search ends the trial.
    """
    module = RaftModule(model, config, plan, seed, start=checkpoint.step(out))
    callback = TrainingCallback(out, config, validation)
    with _quiet(), cpu_threads(config.threads_a_process()), _explained(config, module.accumulate):
        trainer = lightning.Trainer(
            accelerator=config.accelerator,
            devices=config.devices,
            strategy=_strategy(config),
            num_nodes=config.num_nodes,
            precision=config.precision,
            max_steps=len(plan.steps) - module.start,
            accumulate_grad_batches=module.accumulate,
            gradient_clip_val=config.gradient_clip,
            callbacks=[callback, *([ProgressBar()] if sys.stderr.isatty() else [])],
            logger=loggers or False,
            default_root_dir=out,
            use_distributed_sampler=False,  # MicroBatches distributes the rows over the processes
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module)
    return module, callback


def _strategy(config: TrainerConfig) -> str | Strategy:
    if config.strategy != "fsdp":
        return config.strategy
    from pytorch_lightning.strategies import ModelParallelStrategy

    return ModelParallelStrategy(data_parallel_size=config.processes(), tensor_parallel_size=1)


@contextlib.contextmanager
def _explained(config: TrainerConfig, accumulate: int) -> Iterator[None]:
    try:
        yield
    except MisconfigurationException as error:
        message = " ".join(str(error).split())
        settings = f"trainer.accelerator={config.accelerator}, trainer.devices={config.devices}"
        raise ModelError(f"{settings}: {message}") from error
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ModelError(_out_of_memory(config, accumulate)) from error


def _out_of_memory(config: TrainerConfig, accumulate: int) -> str:
    """Returns the error message for exhausted memory, with the next larger valid trainer.accumulate, if any."""
    used = f"auto ({accumulate} here)" if config.accumulate == "auto" else str(accumulate)
    most = config.batch_size // config.processes()  # one example in each micro-batch
    more = next((number for number in range(accumulate + 1, most + 1) if most % number == 0), None)
    remedy = f"set trainer.accumulate={more} (smaller micro-batches, the same result), or " if more else ""
    return f"trainer.accumulate={used}: out of memory while training; {remedy}lower model.max_length"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses Lightning's warnings and its messages about devices and data loaders; errors are still raised."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"pytorch_lightning\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
