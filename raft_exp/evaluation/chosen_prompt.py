"""Reads the prompt that a select stage chose for an arm, and the worked examples of this prompt if it has any."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from raft_exp.evaluation.select_stage import CHOICE
from raft_exp.prompts import PromptConfig

EXAMPLES = "rows.jsonl"  # file of worked examples, in the stage that draws them and in a select stage that chose them


def chosen_examples(folder: Path) -> Path | None:
    """Returns the folder with the worked examples of the chosen prompt; None if this prompt has no examples.

    `folder`: the folder of the select stage.
    """
    return folder if (folder / EXAMPLES).exists() else None


def chosen_prompt(folder: Path) -> PromptConfig:
    """Reads the chosen prompt from the folder of a select stage."""
    choice = json.loads((folder / CHOICE).read_text(encoding="utf-8"))
    prompt: PromptConfig = TypeAdapter(PromptConfig).validate_json(json.dumps(choice["value"]))
    return prompt
