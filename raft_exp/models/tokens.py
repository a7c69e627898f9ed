"""From messages to token ids, for training and inference alike: the prompt's ids are the same by construction,
because prompt and completion are encoded apart and only then joined.
"""

from typing import Any

from raft_exp.core.errors import ModelError
from raft_exp.core.records import Messages
from raft_exp.models import loading as models


def load_tokenizer(name_or_path: str, revision: str | None = None) -> Any:
    """The model's own tokenizer. Raises ModelError with the remedy when it cannot be had."""
    return models.load_tokenizer(name_or_path, revision)


def encode_prompt(tokenizer: Any, messages: Messages) -> list[int]:
    """Ids of everything up to the place where the reply begins. ModelError for what the chat template refuses."""
    text = chat_text(tokenizer, messages)
    if tokenizer.chat_template:
        return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    ids = list(tokenizer(text, verbose=False)["input_ids"])  # `fit` deals with what is too long
    # Some tokenizers close every text with their end token; a prompt is not at its end yet.
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids


def chat_text(tokenizer: Any, messages: Messages) -> str:
    """The text of everything up to the place where the reply begins."""
    if tokenizer.chat_template:
        return _chat_text(tokenizer, messages, add_generation_prompt=True)
    return "\n\n".join(message["content"] for message in messages) + "\n"


def encode_completion(tokenizer: Any, text: str) -> list[int]:
    """Ids of a reply with exactly one end token behind it."""
    return [*tokenizer(text, add_special_tokens=False)["input_ids"], end_token_id(tokenizer)]


def end_token_id(tokenizer: Any) -> int:
    """The token that ends a reply: the one the chat template puts behind the assistant's text, else eos."""
    if tokenizer.chat_template:
        cached = getattr(tokenizer, "_raft_exp_end_token_id", None)
        if cached is None:
            cached = tokenizer._raft_exp_end_token_id = _end_of_turn(tokenizer)
        return int(cached)
    return _eos(tokenizer)


def _end_of_turn(tokenizer: Any) -> int:
    reply = "REPLY"
    chat = [{"role": "user", "content": "x"}, {"role": "assistant", "content": reply}]
    tail = _chat_text(tokenizer, chat, add_generation_prompt=False).rpartition(reply)[2]
    controls = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    ids = tokenizer(tail, add_special_tokens=False)["input_ids"]
    ends = [token for token in ids if token in controls]
    return int(ends[0]) if ends else _eos(tokenizer)


def _eos(tokenizer: Any) -> int:
    if tokenizer.eos_token_id is None:
        raise ModelError(
            f"model.name_or_path={tokenizer.name_or_path!r}: its tokenizer has no end token; set eos_token"
        )
    return int(tokenizer.eos_token_id)


def _chat_text(tokenizer: Any, messages: Messages, add_generation_prompt: bool) -> str:
    try:
        return _apply_template(tokenizer, messages, add_generation_prompt)
    except Exception as error:  # jinja's own error type: the template refuses a system role, or something else
        if [message["role"] for message in messages[:2]] != ["system", "user"]:
            told = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(f"the chat template of {tokenizer.name_or_path!r} refuses the messages: {told}") from error
        system, user, *rest = messages
        joined = {"role": "user", "content": f"{system['content']}\n\n{user['content']}"}
        return _chat_text(tokenizer, [joined, *rest], add_generation_prompt)


def _apply_template(tokenizer: Any, messages: Messages, add_generation_prompt: bool) -> str:
    text = str(
        tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=add_generation_prompt, enable_thinking=False
        )
    )
    # Some templates begin the model's thoughts whatever they are told: here they end where they began.
    return f"{text.rstrip()}\n\n</think>\n\n" if text.rstrip().endswith("<think>") else text
