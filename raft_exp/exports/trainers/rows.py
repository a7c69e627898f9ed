"""Training rows as texts and as token ids, equal to those of the study's own training."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from raft_exp.core.errors import DataError
from raft_exp.core.records import Example
from raft_exp.models.tokens import chat_text, encode_completion, encode_prompt, end_token_id

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class TokenRow:
    """A prompt with the control tokens of its chat template, and a reply with its end token."""

    id: str
    prompt: str
    reply: str
    prompt_ids: list[int]
    reply_ids: list[int]


def token_row(tokenizer: "PreTrainedTokenizerBase", example: Example) -> TokenRow:
    """Returns a training row as texts and token ids. The token ids are those of the study's own training."""
    *messages, reply = example.messages
    prompt_ids, reply_ids = encode_prompt(tokenizer, messages), encode_completion(tokenizer, reply["content"])
    end = str(tokenizer.convert_ids_to_tokens(end_token_id(tokenizer)))
    prompt = chat_text(tokenizer, messages)
    if not tokenizer.chat_template and prompt_ids[:1] == [tokenizer.bos_token_id]:
        prompt = f"{tokenizer.bos_token}{prompt}"
    return TokenRow(example.id, prompt, reply["content"] + end, prompt_ids, reply_ids)


def check_texts(tokenizer: "PreTrainedTokenizerBase", row: TokenRow, tool: str, placeholders: tuple[str, ...]) -> None:
    """Raises DataError if `tool`, which reads the texts of `row`, would train on other token ids than those of `row`.

    Such a tool encodes prompt and reply separately, and adds no special tokens. `placeholders`: texts that the tool
    replaces in a prompt.
    """
    if replaced := next((text for text in placeholders if text in row.prompt), None):
        raise _refused(row, tool, f"the tool would replace {replaced} in the prompt")
    if [_ids(tokenizer, text) for text in (row.prompt, row.reply)] != [row.prompt_ids, row.reply_ids]:
        raise _refused(row, tool, "the texts of the row give other token ids than the study's own training")


def _refused(row: TokenRow, tool: str, why: str) -> DataError:
    return DataError(
        f"export.for: row {row.id!r} cannot be written for {tool}: {why}; leave {tool} out, or use export.for=[trl], "
        "which reads token ids"
    )


def first_tokens(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Returns the ids that the tokenizer puts before every text: [] or the first token (bos)."""
    whole, letter = list(tokenizer("a")["input_ids"]), _ids(tokenizer, "a")
    return whole[: len(whole) - len(letter)] if whole[-len(letter) :] == letter else []


def without_first(tokenizer: "PreTrainedTokenizerBase", row: TokenRow, tool: str) -> TokenRow:
    """Returns the row without the first token of its prompt, if the tokenizer puts this token before every text.

    For other tokenizers, returns the row unchanged. Raises DataError for a prompt that does not begin with this token,
    because the tool would add the token.
    """
    first = first_tokens(tokenizer)
    if not first:
        return row
    if row.prompt_ids[: len(first)] != first:
        raise _refused(row, tool, f"the tool would put {tokenizer.convert_ids_to_tokens(first)} before the prompt")
    text = row.prompt.removeprefix("".join(tokenizer.convert_ids_to_tokens(first)))
    return replace(row, prompt=text, prompt_ids=row.prompt_ids[len(first) :])


def _ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
