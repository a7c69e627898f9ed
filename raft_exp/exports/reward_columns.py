"""The columns that `raft_exp.rewards` reads, in the formats `prompts` and `dpo`."""

from dataclasses import asdict

from raft_exp.core.records import Example, Question
from raft_exp.core.schema import identity
from raft_exp.exports import evaluation
from raft_exp.exports.columns import Columns, Row
from raft_exp.exports.origins import RowOrigins

COLUMNS: Columns = {
    **{name: evaluation.COLUMNS[name] for name in ("question", "answers", "context", "has_gold")},
    "names_gold": "bool",
    "grading": {
        "corpus": "string",
        "metric": "string",
        "reply_format": "string",
        "refusal": "string",
        "cot": "bool",
        "min_quote_words": "int",
    },
}


def columns(example: Example, question: Question, origins: RowOrigins) -> Row:
    """Returns the columns of a row by name.

    `has_gold`: whether the prompt shows all gold passages with their evidence. `names_gold`: whether the data set names
    gold passages of the question. `grading`: the settings by which replies are graded (`RewardSettings`).
    """
    return {
        "question": example.question,
        "answers": example.answers,
        "context": [asdict(passage) for passage in example.context],
        "has_gold": example.has_gold,
        "names_gold": bool(question.gold or question.gold_missing),
        "grading": identity(origins.rewards),
    }
