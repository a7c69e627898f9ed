"""Checks the models of the planned stages before any stage runs."""

from collections.abc import Iterable

from raft_exp.core.stage import Stage
from raft_exp.models import checks
from raft_exp.models.loading import ModelConfig
from raft_exp.training.config import LoraConfig


def check_models(stages: Iterable[Stage], download: bool) -> list[str]:
    """Raises ModelError if a training or an evaluation would fail because of the model's configuration or files.

    Returns the notes and warnings of `models.checks.check`, one line each. `download`: whether configuration and
    tokenizer may be fetched from the hub.
    """
    jobs: list[tuple[ModelConfig, LoraConfig | None, bool, bool]] = []
    for stage in stages:
        config = stage.config
        if stage.name == "train":
            packing = config.trainer.packing is True and not getattr(config, "may_pad", False)
            jobs.append((config.model, config.lora, packing, True))
        elif stage.name == "evaluate" and config.model is not None:
            engine = config.engine
            merges = engine.name == "vllm" and (engine.adapters == "merged" or config.model.quantize is not None)
            jobs.append((config.model, None, False, engine.name != "vllm" or merges))
    trained = [model for model, lora, *_ in jobs if lora]
    jobs = [job for place, job in enumerate(jobs) if job not in jobs[:place] and (job[1] or job[0] not in trained)]
    lines = [
        line
        for model, lora, packing, by_transformers in jobs
        for line in checks.check(model, lora, packing, download, by_transformers)
    ]
    for model, *_ in jobs:
        checks.check_weights(model)
    return list(dict.fromkeys(lines))
