"""Format `eval`: question, answers and context in separate columns, for evaluation in other tools."""

from dataclasses import asdict

from raft_exp.core.records import Example
from raft_exp.exports.columns import Columns, Row
from raft_exp.exports.origins import RowOrigins

COLUMNS: Columns = {
    "id": "string",
    "question": "string",
    "answers": ["string"],
    "context": [
        {
            "id": "string",
            "document_id": "string",
            "title": "string",
            "text": "string",
            "gold": "bool",
            "place": "string",
        }
    ],
    "has_gold": "bool",
}


def row(example: Example, origins: RowOrigins) -> Row:
    """Returns id, question, answers, context and `has_gold` of a row. The passages are in the order of the prompt."""
    del origins
    return {
        "id": example.id,
        "question": example.question,
        "answers": example.answers,
        "context": [asdict(passage) for passage in example.context],
        "has_gold": example.has_gold,
    }
