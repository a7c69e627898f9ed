"""ms-swift (`swift sft`): chats of two messages, and the template `dummy`, which adds only the first and the end token.

The template adds the first token (bos) if the tokenizer puts this token before every text. The template also adds the
tokenizer's end token to a reply that does not end with this token. So the prompt is written without the first token,
and models whose replies end with another token are rejected.
"""

from typing import TYPE_CHECKING

from raft_exp.core.errors import ConfigError
from raft_exp.exports.columns import Row
from raft_exp.exports.trainers.arguments import training_arguments
from raft_exp.exports.trainers.rows import TokenRow, first_tokens
from raft_exp.exports.trainers.settings import ToolSettings
from raft_exp.models.tokens import end_token_id

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLACEHOLDERS = ("{{QUERY}}", "{{ROUND0}}", "{{ROUND1}}")  # ms-swift replaces them in a prompt
# Families of models whose name in ms-swift is their `model_type` in config.json. ms-swift needs it for a model folder.
_FAMILIES = ("gemma3_text", "llama", "mistral", "phi3", "qwen2", "qwen3")


def row(tokens: TokenRow) -> Row:
    """Returns prompt and reply as a chat. `tokens.prompt` must be without the first token that the tokenizer adds."""
    user, assistant = {"role": "user", "content": tokens.prompt}, {"role": "assistant", "content": tokens.reply}
    return {"messages": [user, assistant]}


def check(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Raises ConfigError for a tokenizer with which ms-swift would train on other token ids than the study."""
    letter = list(tokenizer("a", add_special_tokens=False)["input_ids"])
    if len(letter) != 1 or list(tokenizer("a")["input_ids"]) != [*first_tokens(tokenizer), *letter]:
        raise _refused(tokenizer, "its tokenizer must encode 'a' as one token, and put no token behind a text")
    if end_token_id(tokenizer) != tokenizer.eos_token_id:
        raise _refused(tokenizer, f"its replies must end with the tokenizer's end token {tokenizer.eos_token!r}")


def _refused(tokenizer: "PreTrainedTokenizerBase", why: str) -> ConfigError:
    return ConfigError(
        f"export.for: got 'swift' with model.name_or_path={tokenizer.name_or_path!r}, but {why}; leave swift out"
    )


def config(settings: ToolSettings, label: str, rows: int) -> dict[str, object]:
    """Returns the configuration of the training `label` on `rows` rows."""
    training, model = settings.trainings[label], settings.model
    steps = training.steps(rows)
    return {
        "model": settings.model_entry,
        **({"model_type": settings.family} if settings.family in _FAMILIES else {}),
        **({"model_revision": model.revision} if model.revision else {}),
        "use_hf": True,
        "torch_dtype": training.dtype,
        "dataset": [f"{training.dataset}.jsonl"],
        "split_dataset_ratio": 0,
        "template": "dummy",
        "loss_scale": "default",
        "max_length": model.max_length,
        "truncation_strategy": "delete",
        "packing": False,
        **_adapter(settings, label),
        **training_arguments(training, label, rows, settings.seed),
        "add_version": False,
        "save_strategy": "steps",
        "save_steps": steps,
        "save_only_model": True,
    }


def _adapter(settings: ToolSettings, label: str) -> dict[str, object]:
    lora = settings.trainings[label].lora
    if lora is None:
        return {"tuner_type": "full"}
    quantized = {
        "quant_method": "bnb",
        "quant_bits": 4,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
    }
    return {
        "tuner_type": "lora",
        "lora_rank": lora.r,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": lora.target_modules,
        "use_rslora": lora.rslora,
        "use_dora": lora.dora,
        **(quantized if settings.model.quantize else {}),
    }
