"""The prompt that a select stage chose for an arm."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from raft_exp.evaluation.select_stage import CHOICE
from raft_exp.prompts import PromptConfig


def chosen_prompt(folder: Path) -> PromptConfig:
    """Reads the prompt from the folder of a select stage."""
    choice = json.loads((folder / CHOICE).read_text(encoding="utf-8"))
    prompt: PromptConfig = TypeAdapter(PromptConfig).validate_json(json.dumps(choice["value"]))
    return prompt
