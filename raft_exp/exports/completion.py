"""`completion`: prompt and completion as plain text, for models without a chat template."""

from typing import Any

from raft_exp.core.records import Example
from raft_exp.exports.origins import RowOrigins

COLUMNS: dict[str, Any] = {"id": "string", "prompt": "string", "completion": "string"}


def row(example: Example, origins: RowOrigins) -> dict[str, Any]:
    """The prompt is joined as it is for a tokenizer without a chat template (`prompts.tokens.encode_prompt`)."""
    del origins
    *asked, reply = example.messages
    prompt = "\n\n".join(message["content"] for message in asked) + "\n"
    return {"id": example.id, "prompt": prompt, "completion": reply["content"]}
