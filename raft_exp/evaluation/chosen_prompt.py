"""The prompt that a select stage chose for an arm, with the worked examples where they were chosen."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from raft_exp.evaluation.select_stage import CHOICE
from raft_exp.prompts import PromptConfig

EXAMPLES = "rows.jsonl"  # of a stage of worked examples, and of a select stage that chose them


def chosen_examples(folder: Path) -> Path | None:
    """The folder of the worked examples that a select stage chose; None where it chose a prompt without them."""
    return folder if (folder / EXAMPLES).exists() else None


def chosen_prompt(folder: Path) -> PromptConfig:
    """Reads the prompt from the folder of a select stage."""
    choice = json.loads((folder / CHOICE).read_text(encoding="utf-8"))
    prompt: PromptConfig = TypeAdapter(PromptConfig).validate_json(json.dumps(choice["value"]))
    return prompt
