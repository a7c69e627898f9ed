"""TRL (`trl sft`): token ids and a mask of the reply."""

from raft_exp.exports.columns import Row
from raft_exp.exports.trainers.arguments import training_arguments
from raft_exp.exports.trainers.rows import TokenRow
from raft_exp.exports.trainers.settings import ToolSettings


def row(tokens: TokenRow) -> Row:
    """Returns the token ids of a row, which TRL does not encode again. Only tokens with mask 1 count in the loss."""
    mask = [0] * len(tokens.prompt_ids) + [1] * len(tokens.reply_ids)
    return {"id": tokens.id, "input_ids": tokens.prompt_ids + tokens.reply_ids, "completion_mask": mask}


def config(settings: ToolSettings, label: str, rows: int) -> dict[str, object]:
    """Returns the configuration of the training `label` on `rows` rows."""
    training, model = settings.trainings[label], settings.model
    return {
        "model_name_or_path": settings.model_entry,
        **({"model_revision": model.revision} if model.revision else {}),
        "dtype": training.dtype,
        "datasets": [{"path": "json", "data_files": f"{training.dataset}.jsonl", "split": "train"}],
        "completion_only_loss": True,
        "max_length": model.max_length,
        "packing": False,
        **_adapter(settings, label),
        **training_arguments(training, label, rows, settings.seed),
        "save_strategy": "no",
    }


def _adapter(settings: ToolSettings, label: str) -> dict[str, object]:
    lora = settings.trainings[label].lora
    if lora is None:
        return {}
    quantized = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "use_bnb_nested_quant": True}
    return {
        "use_peft": True,
        "lora_r": lora.r,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "lora_target_modules": lora.target_modules,
        "use_rslora": lora.rslora,
        "use_dora": lora.dora,
        **(quantized if settings.model.quantize else {}),
    }
