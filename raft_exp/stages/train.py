"""Stage `train`: a LoRA adapter learned from the rows of one recipe."""

import json
import logging
from pathlib import Path
from typing import Any

from raft_exp import models, tracking
from raft_exp.errors import DataError
from raft_exp.models import ModelConfig
from raft_exp.schema import Seed, config_dataclass, identity
from raft_exp.training.config import LoraConfig, TrainerConfig

VERSION = 1
log = logging.getLogger(__name__)


@config_dataclass
class TrainStage:
    """Settings that change an adapter."""

    model: ModelConfig
    lora: LoraConfig
    trainer: TrainerConfig
    seed: Seed


def train(config: TrainStage, *, dataset: Path, out: Path) -> None:
    """Writes adapter/, metrics.csv and counts.json. Goes on from the checkpoint that a killed run left in `out`."""
    from pytorch_lightning.utilities.rank_zero import rank_zero_only

    from raft_exp.training import adapter, checkpoint, data, loop, module

    settings = {name: identity(getattr(config, name)) for name in ("seed", "lora", "trainer")}
    log.info("%s rank %s: %s", tracking.running(), rank_zero_only.rank or 0, json.dumps(settings))
    tokenizer = models.load_tokenizer(config.model.name_or_path, config.model.revision)
    rows = data.read(dataset, "train", tokenizer, config.model.max_length)
    if not len(rows):
        raise DataError(f"{dataset / 'rows.jsonl'}: no rows of split train; check corpus.train and dataset.max_items")
    validation = data.read(
        dataset, "validation", tokenizer, config.model.max_length, config.trainer.validation_items, config.seed
    )
    plan = data.Plan.make(
        rows, config.seed, config.trainer.batch_size, config.trainer.max_epochs, config.trainer.max_steps
    )
    model = module.add_adapter(models.load(config.model), config.lora, config.seed)
    loggers = tracking.lightning_loggers() if rank_zero_only.rank == 0 else []  # one W&B run, not one a process
    trained = loop.fit(model, config.trainer, plan, validation, config.seed, out, loggers)
    if trained.trainer.is_global_zero:
        adapter.save(model, config.model, out / "adapter")
        (out / "counts.json").write_text(json.dumps(_counts(trained), indent=1) + "\n")
        checkpoint.remove(out)
    trained.trainer.strategy.barrier()  # the other processes leave when the files are there


def _counts(module: Any) -> dict[str, int | float]:
    plan = module.plan
    return {
        "steps": len(plan.steps),
        "examples": sum(map(len, plan.steps)),
        "supervised_tokens": sum(plan.supervised(step) for step in range(len(plan.steps))),
        "trainable_parameters": sum(weight.numel() for weight in module.trainable().values()),
        "loss": module.step_metrics["loss"],
    }
