"""Format `prompts`: prompts without replies, for training with rewards (TRL's GRPOTrainer and `raft_exp.rewards`)."""

from raft_exp.core.records import Example
from raft_exp.exports import reward_columns
from raft_exp.exports.columns import Columns, Row
from raft_exp.exports.origins import RowOrigins

COLUMNS: Columns = {"id": "string", "prompt": [{"role": "string", "content": "string"}], **reward_columns.COLUMNS}


def row(example: Example, origins: RowOrigins) -> Row:
    """Returns the prompt of a row as chat messages, and the columns that `raft_exp.rewards` reads."""
    prompt, question = example.messages[:-1], origins.question(example.id)
    return {"id": example.id, "prompt": prompt, **reward_columns.columns(example, question, origins)}
