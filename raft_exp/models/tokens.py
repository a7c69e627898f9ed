"""Token ids of prompts and replies, for training and inference.

Prompt and reply are encoded separately and then joined, so that a prompt has the same ids in training and inference.
"""

from functools import partial
from typing import TYPE_CHECKING

from raft_exp.core import processes
from raft_exp.core.errors import ModelError
from raft_exp.core.records import Messages
from raft_exp.models import template_limits
from raft_exp.models.template_chance import uses_chance
from raft_exp.models.template_date import DATE, parsed, written

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def set_date(tokenizer: "PreTrainedTokenizerBase", date: str) -> None:
    """Sets today's date for the tokenizer's chat template, for all prompts of this module. `date`: e.g. 2024-07-26."""
    tokenizer._raft_exp_date = date


def encode_prompt(tokenizer: "PreTrainedTokenizerBase", messages: Messages) -> list[int]:
    """Returns the token ids of the prompt, up to the start of the reply. Raises ModelError if the template fails."""
    text = chat_text(tokenizer, messages)
    if tokenizer.chat_template:
        return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    ids = list(tokenizer(text, verbose=False)["input_ids"])  # no warning for long texts: `prompts.fit` shortens them
    # Some tokenizers append their end token to every text; a prompt must not end with it.
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids


def chat_text(tokenizer: "PreTrainedTokenizerBase", messages: Messages) -> str:
    """Returns the text of the prompt, up to the start of the reply. Raises ModelError if the chat template fails.

    If the template refuses a system message, the text of this message is put before that of the first user message. A
    `<think>` block that the template opens is closed. Without a chat template, the messages are joined by blank lines.
    """
    if tokenizer.chat_template:
        return _chat_text(tokenizer, messages, add_generation_prompt=True)
    return "\n\n".join(message["content"] for message in messages) + "\n"


def encode_completion(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Returns the token ids of a reply, followed by one end token. Raises ModelError as `end_token_id` does."""
    return [*tokenizer(text, add_special_tokens=False)["input_ids"], end_token_id(tokenizer)]


def end_token_id(tokenizer: "PreTrainedTokenizerBase") -> int:
    """Returns the id of the token that ends a reply.

    This is the control token that the chat template puts after an assistant message, else the tokenizer's eos token.
    Raises ModelError for a tokenizer without an end token, and if the chat template fails.
    """
    if tokenizer.chat_template:
        cached = getattr(tokenizer, "_raft_exp_end_token_id", None)
        if cached is None:
            cached = tokenizer._raft_exp_end_token_id = _end_of_turn(tokenizer)
        return int(cached)
    return _eos(tokenizer)


def _end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> int:
    reply = "REPLY"
    chat = [{"role": "user", "content": "x"}, {"role": "assistant", "content": reply}]
    tail = _chat_text(tokenizer, chat, add_generation_prompt=False).rpartition(reply)[2]
    controls = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    ids = tokenizer(tail, add_special_tokens=False)["input_ids"]
    ends = [token for token in ids if token in controls]
    return int(ends[0]) if ends else _eos(tokenizer)


def _eos(tokenizer: "PreTrainedTokenizerBase") -> int:
    if tokenizer.eos_token_id is None:
        raise ModelError(
            f"model.name_or_path={tokenizer.name_or_path!r}: its tokenizer has no end token; set eos_token in its "
            "tokenizer_config.json"
        )
    return int(tokenizer.eos_token_id)


def _chat_text(tokenizer: "PreTrainedTokenizerBase", messages: Messages, add_generation_prompt: bool) -> str:
    if fault := template_limits.fault(tokenizer):
        raise ModelError(
            f"model.name_or_path={tokenizer.name_or_path!r}: its chat template {fault}; replace it in a local copy of "
            "the model (chat_template.jinja), or choose another model"
        )
    if chance := uses_chance(str(tokenizer.chat_template)):
        raise ModelError(
            f"model.name_or_path={tokenizer.name_or_path!r}: its chat template has {chance}, which makes prompts "
            "random; remove it in a local copy of the model (chat_template.jinja)"
        )
    try:
        return _apply_template(tokenizer, messages, add_generation_prompt)
    except processes.TimeLimitError as error:
        raise ModelError(
            f"model.name_or_path={tokenizer.name_or_path!r}: its chat template needs {error} for one prompt; replace "
            "it in a local copy of the model (chat_template.jinja)"
        ) from error
    except Exception as error:  # a jinja2 error, for instance when the template has no system role
        if [message["role"] for message in messages[:2]] != ["system", "user"]:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            message = f"the chat template of {tokenizer.name_or_path!r} refuses the messages: {reason}"
            raise ModelError(message) from error
        system, user, *rest = messages
        joined = {"role": "user", "content": f"{system['content']}\n\n{user['content']}"}
        return _chat_text(tokenizer, [joined, *rest], add_generation_prompt)


def _apply_template(tokenizer: "PreTrainedTokenizerBase", messages: Messages, add_generation_prompt: bool) -> str:
    today = parsed(getattr(tokenizer, "_raft_exp_date", DATE))
    with processes.time_limit(template_limits.SECONDS):
        text = str(
            tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                enable_thinking=False,
                strftime_now=partial(written, today),  # transformers' own gives the time of the machine
            )
        )
    added = len(text) - sum(len(message["content"]) for message in messages)
    if added > template_limits.MOST_ADDED:
        raise ValueError(f"the template adds {added:,} characters to the messages")
    if left_out := [message["role"] for message in messages if message["content"].strip() not in text]:
        raise ValueError(f"the rendered prompt changes or omits the text of the {left_out[0]} message")
    # Some templates open a <think> block even with enable_thinking=False: the prompt closes it.
    return f"{text.rstrip()}\n\n</think>\n\n" if text.rstrip().endswith("<think>") else text
