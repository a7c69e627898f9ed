"""`eval`: question, answers and context apart, for other tools' evaluations."""

from dataclasses import asdict
from typing import Any

from raft_exp.core.records import Example
from raft_exp.exports.origins import RowOrigins

COLUMNS: dict[str, Any] = {
    "id": "string",
    "question": "string",
    "answers": ["string"],
    "context": [
        {
            **dict.fromkeys(("id", "document_id", "title", "text"), "string"),
            "gold": "bool",
            "place": "string",
        }
    ],
    "has_gold": "bool",
}


def row(example: Example, origins: RowOrigins) -> dict[str, Any]:
    """The passages stand in the order of the prompt."""
    del origins
    return {
        "id": example.id,
        "question": example.question,
        "answers": example.answers,
        "context": [asdict(passage) for passage in example.context],
        "has_gold": example.has_gold,
    }
