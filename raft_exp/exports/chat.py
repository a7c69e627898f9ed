"""Format `chat`: one conversation in each row, for TRL, ms-swift, Axolotl and OpenAI."""

from raft_exp.core.records import Example
from raft_exp.exports.columns import Columns, Row
from raft_exp.exports.origins import RowOrigins

COLUMNS: Columns = {"id": "string", "messages": [{"role": "string", "content": "string"}]}


def row(example: Example, origins: RowOrigins) -> Row:
    """Returns the id and the messages of a row. The last message is the training target, with the role assistant."""
    del origins
    return {"id": example.id, "messages": example.messages}
