"""`raft_base`: the fields of the RAFT notebook for PubMedQA.

https://github.com/aws-samples/generative-ai-on-amazon-sagemaker, 01-build_raft_dataset.ipynb: texts are joined by an
empty line, `oracle` is all of the gold whether or not the row shows it, `distracted` says that it shows none.
"""

from typing import Any

from raft_exp.core.records import Example
from raft_exp.exports.origins import RowOrigins

COLUMNS: dict[str, Any] = {
    "question": "string",
    "context": "string",
    "oracle": "string",
    "distracted": "bool",
    "original_answer": "string",
    "synthetic_answer": "string",
}


def row(example: Example, origins: RowOrigins) -> dict[str, Any]:
    """`original_answer` is the data set's long answer where it has one; `synthetic_answer` is what the row teaches."""
    question = origins.question(example.id)
    return {
        "question": example.question,
        "context": "\n\n".join(passage.text for passage in example.context),
        "oracle": "\n\n".join(origins.gold(question)),
        "distracted": not any(passage.gold for passage in example.context),
        "original_answer": question.explanation or next(iter(question.answers), ""),
        "synthetic_answer": example.target,
    }
