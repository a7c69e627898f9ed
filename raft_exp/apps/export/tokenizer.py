"""The tokenizer of an exported model, with a chat template that makes our prompts by itself."""

from collections.abc import Sequence
from pathlib import Path

from raft_exp.apps.export.drift import DriftSample
from raft_exp.models import loading as models
from raft_exp.models.loading import ModelConfig
from raft_exp.models.tokens import encode_prompt

# The prompt of a model without a chat template of its own, as `prompts.tokens.encode_prompt` joins it.
_JOINED = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{% if loop.last %}{% if message['role'] != 'assistant' %}{{ '\\n' }}{% endif %}{% else %}"
    "{% if loop.nextitem['role'] == 'assistant' %}{{ '\\n' }}{% else %}{{ '\\n\\n' }}{% endif %}{% endif %}{% endfor %}"
)


def save(config: ModelConfig, texts: Sequence[DriftSample], folder: Path) -> bool:
    """Writes the tokenizer; returns whether its chat template, without any option, makes these prompts by itself.

    A template that lets a model think aloud is told not to, as in training.
    """
    tokenizer = models.load_tokenizer(config.name_or_path, config.revision)
    given = tokenizer.chat_template
    if given is None:
        start = "{{ bos_token }}" if texts[0].prompt[0] == tokenizer.bos_token_id else ""
        tokenizer.chat_template = start + _JOINED
    elif isinstance(given, str) and "enable_thinking" in given:
        tokenizer.chat_template = "{%- set enable_thinking = false %}" + given
    with models.quiet():
        tokenizer.save_pretrained(str(folder))
    if _makes(folder, texts):
        return True
    if tokenizer.chat_template != given:
        tokenizer.chat_template = given
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        with models.quiet():
            tokenizer.save_pretrained(str(folder))
    return False


def _makes(folder: Path, texts: Sequence[DriftSample]) -> bool:
    tokenizer = models.load_tokenizer(str(folder))
    try:
        made = [
            tokenizer.apply_chat_template(text.messages, add_generation_prompt=True, return_dict=False)
            for text in texts
        ]
    except Exception:  # jinja's own error type: a template that takes no system message
        return False
    return all(list(ids) == text.prompt for ids, text in zip(made, texts, strict=True))


def unchanged(folder: Path, texts: Sequence[DriftSample]) -> bool:
    """Whether raft_exp's own renderer, with the tokenizer in the folder, makes the same prompts as before."""
    tokenizer = models.load_tokenizer(str(folder))
    return all(encode_prompt(tokenizer, text.messages) == text.prompt for text in texts)
