"""The tokenizer of an exported model, with a chat template that makes the study's prompts."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from raft_exp.apps.export.drift import DriftSample
from raft_exp.models.loading import ModelConfig, load_tokenizer, quiet, tokenizer_of
from raft_exp.models.template_date import CALL, parsed, written
from raft_exp.models.tokens import encode_prompt

# The prompt of a model without a chat template, as `raft_exp.models.tokens.chat_text` joins the messages.
_JOINED = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{% if loop.last %}{% if message['role'] != 'assistant' %}{{ '\\n' }}{% endif %}{% else %}"
    "{% if loop.nextitem['role'] == 'assistant' %}{{ '\\n' }}{% else %}{{ '\\n\\n' }}{% endif %}{% endif %}{% endfor %}"
)
# the call by which a template inserts the date: strftime_now('%d %b %Y')
_ASKS = re.compile(rf"""\b{CALL}\s*\(\s*(?:format\s*=\s*)?(["'])(.*?)\1\s*\)""")


def save(config: ModelConfig, samples: Sequence[DriftSample], folder: Path) -> bool:
    """Writes the tokenizer with a chat template that makes the study's prompts.

    In this template, thinking is disabled and the date is fixed. Returns True if the template gives the token ids of
    the samples' prompts. Otherwise writes the model's own template, and returns False.
    """
    tokenizer = tokenizer_of(config)
    original = tokenizer.chat_template
    if original is None:
        start = "{{ bos_token }}" if samples[0].prompt[0] == tokenizer.bos_token_id else ""
        tokenizer.chat_template = start + _JOINED
    elif isinstance(original, str):
        thinking = "{%- set enable_thinking = false %}" if "enable_thinking" in original else ""
        tokenizer.chat_template = thinking + _with_date(original, parsed(config.date))
    with quiet():
        tokenizer.save_pretrained(str(folder))
    if _template_makes(folder, samples):
        return True
    if tokenizer.chat_template != original:
        tokenizer.chat_template = original
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        with quiet():
            tokenizer.save_pretrained(str(folder))
    return False


def _with_date(template: str, today: datetime) -> str:
    """Returns the template with each call of the form strftime_now('%d %b %Y') replaced by the date `today` as text."""
    return _ASKS.sub(lambda call: repr(written(today, call[2])), template)


def _template_makes(folder: Path, samples: Sequence[DriftSample]) -> bool:
    tokenizer = load_tokenizer(str(folder))
    try:
        prompts = [
            tokenizer.apply_chat_template(sample.messages, add_generation_prompt=True, return_dict=False)
            for sample in samples
        ]
    except Exception:  # an error type of jinja: the template rejects system messages
        return False
    return all(list(ids) == sample.prompt for ids, sample in zip(prompts, samples, strict=True))


def unchanged(folder: Path, samples: Sequence[DriftSample]) -> bool:
    """Whether the saved tokenizer encodes the samples' prompts with the same token ids as the original tokenizer."""
    tokenizer = load_tokenizer(str(folder))
    return all(encode_prompt(tokenizer, sample.messages) == sample.prompt for sample in samples)
