"""Axolotl (`axolotl train`): the format `input_output`, which marks the segments of a text that count in the loss."""

from raft_exp.exports.columns import Row
from raft_exp.exports.trainers.rows import TokenRow
from raft_exp.exports.trainers.settings import ToolSettings


def row(tokens: TokenRow) -> Row:
    """Returns two segments: the prompt, and the reply. Only the reply counts in the loss."""
    prompt, reply = {"label": False, "text": tokens.prompt}, {"label": True, "text": tokens.reply}
    return {"segments": [prompt, reply]}


def config(settings: ToolSettings, label: str, rows: int) -> dict[str, object]:
    """Returns the configuration of the training `label` on `rows` rows."""
    training, model = settings.trainings[label], settings.model
    return {
        "base_model": settings.model_entry,
        **({"revision_of_model": model.revision} if model.revision else {}),
        "datasets": [{"path": f"{training.dataset}.jsonl", "ds_type": "json", "type": "input_output"}],
        "train_on_inputs": False,
        "val_set_size": 0.0,
        "sequence_len": model.max_length,
        "excess_length_strategy": "raise",
        "sample_packing": False,
        "pad_to_sequence_len": False,
        **_adapter(settings, label),
        "output_dir": label,
        "dataset_prepared_path": f"{label}_prepared",
        "max_steps": training.steps(rows),
        "micro_batch_size": training.rows_a_device,
        "gradient_accumulation_steps": training.accumulate,
        "learning_rate": training.learning_rate,
        "lr_scheduler": "cosine",
        "warmup_steps": training.warmup(rows),
        "optimizer": "adamw_torch",
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.gradient_clip,
        "bf16": training.bf16,
        "fp16": training.fp16,
        "tf32": False,
        "gradient_checkpointing": training.checkpointing,
        "seed": settings.seed,
        "logging_steps": 1,
        "save_strategy": "no",
    }


def _adapter(settings: ToolSettings, label: str) -> dict[str, object]:
    lora = settings.trainings[label].lora
    if lora is None:
        return {}
    whole = lora.target_modules == ["all-linear"]
    return {
        "adapter": "qlora" if settings.model.quantize else "lora",
        **({"load_in_4bit": True} if settings.model.quantize else {}),
        "lora_r": lora.r,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        **({"lora_target_linear": True} if whole else {"lora_target_modules": lora.target_modules}),
        "peft_use_rslora": lora.rslora,
        "peft_use_dora": lora.dora,
    }
