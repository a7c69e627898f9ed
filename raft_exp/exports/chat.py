"""`chat`: one conversation a row, as TRL, ms-swift, Axolotl and OpenAI read it."""

from typing import Any

from raft_exp.core.records import Example
from raft_exp.exports.origins import RowOrigins

COLUMNS: dict[str, Any] = {"id": "string", "messages": [{"role": "string", "content": "string"}]}


def row(example: Example, origins: RowOrigins) -> dict[str, Any]:
    """The messages of a row; the last one is the assistant's, which is learned."""
    del origins
    return {"id": example.id, "messages": example.messages}
