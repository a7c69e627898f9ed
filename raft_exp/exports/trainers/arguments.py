"""Arguments that TRL, LLaMA-Factory and ms-swift share: those of transformers' TrainingArguments."""

from raft_exp.exports.trainers.settings import ToolTraining


def training_arguments(training: ToolTraining, label: str, rows: int, seed: int) -> dict[str, object]:
    """Returns the arguments of one training.

    `label`: name of the training, and folder of its result. `rows`: number of training rows.
    """
    return {
        "output_dir": label,
        "max_steps": training.steps(rows),
        "per_device_train_batch_size": training.rows_a_device,
        "gradient_accumulation_steps": training.accumulate,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": training.warmup(rows),
        "optim": "adamw_torch",
        "adam_beta2": 0.999,
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.gradient_clip,
        "bf16": training.bf16,
        "fp16": training.fp16,
        "gradient_checkpointing": training.checkpointing,
        "seed": seed,
        "logging_steps": 1,
        "report_to": "none",
        **({"use_cpu": True} if training.cpu else {}),
    }
