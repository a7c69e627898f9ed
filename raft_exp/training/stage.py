"""Stage `train`: trains a LoRA adapter (with lora=full: the whole model) on the rows of one recipe."""

import json
import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.core import tracking
from raft_exp.core.errors import DataError
from raft_exp.core.schema import KeyedWhenSet, Runtime, Seed, config_dataclass, identity
from raft_exp.core.stage import stage
from raft_exp.models import loading
from raft_exp.models.loading import ModelConfig
from raft_exp.training.config import LoraConfig, MatchedPlan, TrainerConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from raft_exp.training.data import TrainingPlan
    from raft_exp.training.module import RaftModule
    from raft_exp.training.rows import Rows

log = logging.getLogger(__name__)

VERSION = 2
LAST = "last"  # with trainer.keep=best: the folder of the weights after the last step
_LOGGED_ROWS = 5  # number of example rows that are logged to W&B
ROWS = "rows"  # the folder of token ids, deleted after the training


@config_dataclass
class TrainStage:
    """Settings of a train stage."""

    model: ModelConfig
    lora: LoraConfig
    trainer: TrainerConfig
    seed: Seed
    may_pad: Runtime[bool] = False  # trainer.packing=auto: a model that cannot take packed rows trains with padded ones
    may_compile: Runtime[bool] = False  # trainer.compile=auto: a long training on a GPU compiles the layers
    matched: KeyedWhenSet[MatchedPlan | None] = None  # settings of the other training, if this one matches its tokens


@stage("train", VERSION, resumable=True)
def train(config: TrainStage, *, dataset: Path, out: Path, matched_dataset: Path | None = None) -> None:
    """Writes adapter/ (with lora=full: model/), metrics.csv, timings.csv and counts.json.

    Resumes from a checkpoint in `out`. With `trainer.keep=best` the weights are those with the lowest validation loss,
    and last/ has the weights after the last step.

    `dataset`: folder of a dataset stage. `matched_dataset`: with `config.matched`, the dataset folder of the training
    whose number of supervised tokens is matched. Raises DataError for a dataset without training rows, or without the
    validation rows that `trainer.keep` or `trainer.early_stopping` needs.
    """
    from pytorch_lightning.utilities.rank_zero import rank_zero_only
    from safetensors.torch import load_file

    from raft_exp.training import best_checkpoint, checkpoint, loop, packed, rows, sharding, weights

    settings = {name: identity(getattr(config, name)) for name in ("seed", "lora", "trainer")}
    log.info("%s rank %s: %s", tracking.current_stage(), rank_zero_only.rank or 0, json.dumps(settings))
    tokenizer = loading.tokenizer_of(config.model)
    length = config.model.max_length
    training = rows.read(dataset, "train", tokenizer, length, out / ROWS / "train")
    if not len(training):
        raise DataError(f"{dataset / 'rows.jsonl'}: no rows of split train; check corpus.train and dataset.max_items")
    most = config.trainer.validation_items
    validation = rows.read(dataset, "validation", tokenizer, length, out / ROWS / "validation", most, config.seed)
    _check_validation(config.trainer, len(validation))
    plan = _plan(config, training, matched_dataset, tokenizer, out / ROWS / "matched")
    base = loading.load(config.model, _quantizing_device(config))
    trainer = config.trainer
    if trainer.packing and config.may_pad:
        trainer = replace(
            trainer, packing=packed.pack_where_possible(base, trainer.on_gpu() and trainer.precision != "32-true")
        )
    elif trainer.packing:
        packed.use_packed_attention(base)
    if config.may_compile:
        trainer = replace(trainer, compile="auto")
    model = weights.trainable(base, config.lora, trainer.precision, config.seed)
    tracker = tracking.active()
    first_rank = rank_zero_only.rank == 0  # one tracker run for all processes
    loggers = tracker.training_loggers(tracking.current_stage()) if first_rank else []
    if loggers:
        tracker.log_table("rows", ("id", "prompt", "completion"), _sample(training, tokenizer))
    module, callback = loop.fit(model, trainer, plan, validation, config.seed, out, loggers)
    learned = {name: sharding.whole(weight) for name, weight in module.trainable().items()}
    if module.trainer.is_global_zero:
        if config.trainer.keep == "best":
            weights.save(model, learned, config.model, out / LAST)
            learned = load_file(callback.best.path)
        weights.save(model, learned, config.model, out)
        (out / "counts.json").write_text(json.dumps(_counts(module), indent=1) + "\n", encoding="utf-8")
        checkpoint.remove(out)
        best_checkpoint.remove(out)
        shutil.rmtree(out / ROWS, ignore_errors=True)  # a network file system may keep files that are still mapped
    module.trainer.strategy.barrier()  # the other processes wait for the files


def _plan(
    config: TrainStage, training: "Rows", matched: Path | None, tokenizer: "PreTrainedTokenizerBase", folder: Path
) -> "TrainingPlan":
    """Returns the plan of the training's steps. `folder`: for the tokenised rows of the matched training."""
    from raft_exp.training import rows
    from raft_exp.training.data import TrainingPlan

    if config.matched is None or matched is None:
        trainer = config.trainer
        return TrainingPlan.make(training, config.seed, trainer.batch_size, trainer.max_epochs, trainer.max_steps)
    other = rows.read(matched, "train", tokenizer, config.model.max_length, folder)
    settings = config.matched
    plan = TrainingPlan.make(other, config.seed, settings.batch_size, settings.max_epochs, settings.max_steps)
    tokens = sum(map(plan.supervised, range(len(plan.steps))))
    return TrainingPlan.of_tokens(training, config.seed, config.trainer.batch_size, tokens)


def _counts(module: "RaftModule") -> dict[str, int | float]:
    plan = module.plan
    return {
        "steps": module.step,
        "examples": sum(map(len, plan.steps[: module.step])),
        "supervised_tokens": sum(plan.supervised(step) for step in range(module.step)),
        "trainable_parameters": sum(weight.numel() for weight in module.trainable().values()),
        "loss": module.step_metrics["loss"],
    }


def _quantizing_device(config: TrainStage) -> str:
    """Returns the device on which the base model is loaded.

    A model to be quantised is loaded on the GPU of this process. Other models are loaded on the CPU; Lightning moves
    them later.
    """
    import torch

    if config.model.quantize is None or config.trainer.accelerator == "cpu" or not torch.cuda.is_available():
        return "cpu"
    place = os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))
    return f"cuda:{place}"


def _sample(training: "Rows", tokenizer: "PreTrainedTokenizerBase") -> list[tuple[str, str, str]]:
    """Returns (id, prompt, completion) of the first rows, decoded from their token ids."""
    sample = []
    for number in range(min(_LOGGED_ROWS, len(training))):
        ids, completion = training.row(number).tolist(), int(training.completions[number])
        sample.append((training.ids[number], tokenizer.decode(ids[:-completion]), tokenizer.decode(ids[-completion:])))
    return sample


def _check_validation(config: TrainerConfig, validation: int) -> None:
    for field, value in (("keep", config.keep), ("early_stopping", config.early_stopping)):
        if not validation and value not in ("last", None):
            raise DataError(
                f"trainer.{field}={value}: needs validation rows, but the dataset has none; set "
                f"trainer.{field}={'last' if field == 'keep' else 'null'}"
            )
