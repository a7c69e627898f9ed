"""Reads chats from a file, in the form that `export.dataset=chat` writes.

The file is JSON lines, an array (both may be gzipped) or parquet of {messages: [{role, content}], id, split}. `id` (by
default the place, such as "line-3") and `split` (train or validation; by default train) are optional.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from raft_exp.corpora.readers import json_records
from raft_exp.corpora.readers.fields import Fields

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class ChatRow:
    """A chat: an optional system message, then user and assistant messages in turn. The last one is an assistant's."""

    id: str
    where: str  # file and place in it, for errors
    messages: list[dict[str, str]]
    split: str


def read(path: Path) -> Iterator[ChatRow]:
    """Yields the chats in file order. Raises DataError with file, place, field and remedy."""
    for place, row in json_records.placed(path):
        fields = Fields(f"{path}, {place}", row)
        split = fields.chosen("split", ("train", "validation")) or "train"
        name = fields.text("id") or place.replace(" ", "-")
        yield ChatRow(name, fields.where, _messages(fields), split)


def _messages(fields: Fields) -> list[dict[str, str]]:
    rows = fields.get("messages", list)
    if not rows:
        raise fields.error("messages", "is missing or empty", "give a list of {role, content}")
    messages = [_message(fields, number, message) for number, message in enumerate(rows)]
    if messages[-1]["role"] != "assistant":
        raise fields.error("messages", "does not end with an assistant message", "add the reply to train on")
    if len(messages) == 1:
        what = "has an assistant message without a user message"
        raise fields.error("messages", what, "add the user message before it")
    _check_turns(fields, messages)
    if not messages[-1]["content"].strip():
        raise fields.error("messages", "ends with an empty reply", "write the reply or remove the row")
    return messages


def _check_turns(fields: Fields, messages: list[dict[str, str]]) -> None:
    """Raises DataError for roles out of order.

    Many chat templates refuse them; this check is the same for every model.
    """
    first = int(messages[0]["role"] == "system")
    for number, (message, due) in enumerate(zip(messages[first:], cycle(("user", "assistant"))), start=first):
        if message["role"] != due:
            raise fields.error(
                f"messages[{number}]",
                f"has the role {message['role']!r}; {due!r} was expected",
                "give a system message or none, then user and assistant in turn",
            )


def _message(fields: Fields, number: int, message: object) -> dict[str, str]:
    if not isinstance(message, dict):
        raise fields.error(f"messages[{number}]", f"is {message!r:.60}", "give {role, content}")
    inner = Fields(f"{fields.where}, message {number}", message)
    role, content = inner.chosen("role", ROLES), inner.get("content", str)
    if role is None or content is None:
        raise inner.error("role" if role is None else "content", "is missing", "give {role, content}")
    return {"role": role, "content": content}
