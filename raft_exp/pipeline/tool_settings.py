"""The settings of a study's trainings for other tools (`export.for`), and checks of what these tools can repeat."""

import json
from pathlib import Path

from raft_exp.core.errors import ConfigError
from raft_exp.exports.trainers import swift
from raft_exp.exports.trainers.settings import TestedArm, ToolLora, ToolSettings, ToolTraining
from raft_exp.models import gguf, loading
from raft_exp.pipeline.arm_settings import arm_trainer
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.trainings import Training, trainings
from raft_exp.training.config import LoraConfig, TrainerConfig


def tool_settings(config: Config) -> ToolSettings:
    """Returns the settings of the trainings for other tools.

    Arms that train on a number of supervised tokens are left out: no tool has such a setting. Raises ConfigError for a
    study without trainings that the tools can repeat, and for settings that have no counterpart in the tools.
    """
    _check(config)
    own = {training.label: training for training in trainings(config)}
    repeated = {label: training for label, training in own.items() if not training.matched}
    if not repeated:
        raise ConfigError(
            f"export.for: got {config.export.tools}, but no arm of evaluation.arms has a training that a tool can "
            "repeat; add such an arm (raft, sft)"
        )
    path, family = _model(config)
    if "swift" in config.export.tools:
        swift.check(loading.tokenizer_of(config.model))
    return ToolSettings(
        study=config.study,
        tools=config.export.tools,
        model=config.model,
        path=path,
        family=family,
        trainings={label: _training(config, training) for label, training in repeated.items()},
        left_out=[arm for training in own.values() if training.matched for arm in training.arms],
        seed=config.seed,
    )


def _check(config: Config) -> None:
    """Raises ConfigError for settings of the study that no tool can repeat."""
    tools = f"export.for: got {config.export.tools}"
    if config.selection.on:
        raise ConfigError(
            f"{tools}, but selection.learning_rates chooses a rate only after trainings of the study; set "
            "selection.learning_rates=null, and trainer.learning_rate to a number"
        )
    for name in config.trained_arms():
        trainer = arm_trainer(config, name)
        for field, value in (("keep", trainer.keep), ("early_stopping", trainer.early_stopping)):
            usual = {"keep": "last", "early_stopping": None}[field]
            if value != usual:
                raise ConfigError(
                    f"{tools}, but trainer.{field} of arm {name} is {value!r}, which the tools do not repeat; set "
                    f"trainer.{field}={usual or 'null'}"
                )
        if trainer.devices == "auto":
            raise ConfigError(f"{tools}, but trainer.devices of arm {name} is 'auto'; set trainer.devices to a number")
    if gguf.is_gguf(config.model.name_or_path):
        raise ConfigError(
            f"{tools}, but model.name_or_path={config.model.name_or_path!r} is a GGUF file, which the tools cannot "
            "train; name a model folder or a hub id"
        )


def _model(config: Config) -> tuple[str, str | None]:
    """Returns the hub id or folder of the model, and the `model_type` of a folder (None for a hub id)."""
    path = loading.resolve(config.model.name_or_path)
    if not Path(path).is_dir():
        return path, None
    values = json.loads((Path(path) / "config.json").read_text(encoding="utf-8"))
    return str(Path(path).resolve()), values.get("model_type")


def _training(config: Config, training: Training) -> ToolTraining:
    trainer, lora = training.trainer, training.lora
    assert isinstance(trainer.learning_rate, float), "resolved"
    assert isinstance(trainer.devices, int), "checked"
    devices = trainer.devices * trainer.num_nodes
    # accumulate=auto depends on the lengths of the rows: the tools get one row at a time
    accumulate = trainer.batch_size // devices if trainer.accumulate == "auto" else trainer.accumulate
    full_in_mixed_precision = not lora.r and trainer.precision.endswith("-mixed")
    arms = {name: config.arms[name] for name in training.arms}
    return ToolTraining(
        dataset=training.dataset,
        arms={name: TestedArm(arm.context, arm.cot) for name, arm in arms.items()},
        lora=_lora(lora) if lora.r else None,
        dtype="float32" if full_in_mixed_precision else config.model.dtype,
        bf16=trainer.precision.startswith("bf16"),
        fp16=trainer.precision.startswith("16"),
        learning_rate=trainer.learning_rate,
        weight_decay=trainer.weight_decay,
        warmup_share=trainer.warmup_share,
        gradient_clip=trainer.gradient_clip,
        max_steps=trainer.max_steps,
        max_epochs=trainer.max_epochs,
        rows_a_device=trainer.batch_size // (devices * accumulate),
        accumulate=accumulate,
        devices=devices,
        cpu=trainer.accelerator == "cpu",
        checkpointing=_checkpointing(trainer),
    )


def _lora(lora: LoraConfig) -> ToolLora:
    modules: list[str] = [lora.target_modules] if isinstance(lora.target_modules, str) else lora.target_modules
    return ToolLora(lora.r, lora.alpha, lora.dropout, modules, lora.rslora, lora.dora)


def _checkpointing(trainer: TrainerConfig) -> bool:
    """Whether the tools recompute activations. `auto` means: on a GPU. Only raft_exp decides by the free memory."""
    if trainer.activation_checkpointing == "auto":
        return trainer.accelerator != "cpu"
    return trainer.activation_checkpointing
