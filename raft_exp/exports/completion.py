"""Format `completion`: prompt and completion as plain text, for models without a chat template."""

from raft_exp.core.records import Example
from raft_exp.exports.columns import Columns, Row
from raft_exp.exports.origins import RowOrigins

COLUMNS: Columns = {"id": "string", "prompt": "string", "completion": "string"}


def row(example: Example, origins: RowOrigins) -> Row:
    """Returns id, prompt and completion of a row.

    The messages of the prompt are joined as in `models.tokens.chat_text` for tokenizers without a chat template.
    """
    del origins
    *prompt_messages, reply = example.messages
    prompt = "\n\n".join(message["content"] for message in prompt_messages) + "\n"
    return {"id": example.id, "prompt": prompt, "completion": reply["content"]}
