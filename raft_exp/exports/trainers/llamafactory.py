"""LLaMA-Factory (`llamafactory-cli train`): rows of two texts, and the template `empty`, which adds nothing to them."""

import json
from collections.abc import Iterable

from raft_exp.exports.columns import Row
from raft_exp.exports.trainers.arguments import training_arguments
from raft_exp.exports.trainers.rows import TokenRow
from raft_exp.exports.trainers.settings import ToolSettings

PLACEHOLDERS = ("{{idx}}",)  # LLaMA-Factory replaces it in a prompt by the number of the turn


def row(tokens: TokenRow) -> Row:
    """Returns the texts of prompt and reply."""
    return {"instruction": tokens.prompt, "output": tokens.reply}


def files(datasets: Iterable[str]) -> dict[str, str]:
    """Returns {file name: content} for dataset_info.json, which lists the data files of the training sets."""
    columns = {"prompt": "instruction", "response": "output"}
    register = {name: {"file_name": f"{name}.jsonl", "formatting": "alpaca", "columns": columns} for name in datasets}
    return {"dataset_info.json": json.dumps(register, indent=2) + "\n"}


def config(settings: ToolSettings, label: str, rows: int) -> dict[str, object]:
    """Returns the configuration of the training `label` on `rows` rows."""
    training, model = settings.trainings[label], settings.model
    return {
        "model_name_or_path": settings.model_entry,
        **({"model_revision": model.revision} if model.revision else {}),
        "stage": "sft",
        "do_train": True,
        **_adapter(settings, label),
        "dataset_dir": ".",
        "dataset": training.dataset,
        "template": "empty",
        "cutoff_len": model.max_length,
        "train_on_prompt": False,
        "packing": False,
        **training_arguments(training, label, rows, settings.seed),
        "disable_gradient_checkpointing": not training.checkpointing,
        "save_strategy": "no",
    }


def _adapter(settings: ToolSettings, label: str) -> dict[str, object]:
    lora = settings.trainings[label].lora
    if lora is None:
        return {"finetuning_type": "full"}
    quantized = {
        "quantization_method": "bnb",
        "quantization_bit": 4,
        "quantization_type": "nf4",
        "double_quantization": True,
    }
    return {
        "finetuning_type": "lora",
        "lora_rank": lora.r,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "lora_target": "all" if lora.target_modules == ["all-linear"] else ",".join(lora.target_modules),
        "use_rslora": lora.rslora,
        "use_dora": lora.dora,
        **(quantized if settings.model.quantize else {}),
    }
