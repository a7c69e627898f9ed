"""Format `raft_base`: the fields of the RAFT notebook for PubMedQA.

Source: https://github.com/aws-samples/generative-ai-on-amazon-sagemaker, 01-build_raft_dataset.ipynb.

`context` and `oracle` join several passages with an empty line. `oracle` is the text of all gold passages, even of
those that are not in the context. `distracted` is true for a row without gold passages in its context.
"""

from raft_exp.core.records import Example
from raft_exp.exports.columns import Columns, Row
from raft_exp.exports.origins import RowOrigins

COLUMNS: Columns = {
    "question": "string",
    "context": "string",
    "oracle": "string",
    "distracted": "bool",
    "original_answer": "string",
    "synthetic_answer": "string",
}


def row(example: Example, origins: RowOrigins) -> Row:
    """Returns the fields of a row.

    `original_answer` is the question's long answer, else its first answer. `synthetic_answer` is the target.
    """
    question = origins.question(example.id)
    return {
        "question": example.question,
        "context": "\n\n".join(passage.text for passage in example.context),
        "oracle": "\n\n".join(origins.gold(question)),
        "distracted": not any(passage.gold for passage in example.context),
        "original_answer": question.explanation or next(iter(question.answers), ""),
        "synthetic_answer": example.target,
    }
