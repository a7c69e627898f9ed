"""The evaluation settings of a condition, and of the validation questions on which a study chooses settings."""

import json
from dataclasses import asdict, replace

from pydantic import TypeAdapter, ValidationError

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.evaluation.config import EvaluationConfig
from raft_exp.pipeline.config import Config, is_file_name
from raft_exp.pipeline.config_errors import explained

# Settings that change the test set, by context.
_EFFECTIVE = {
    "gold_and_distractors": (
        "num_distractors",
        "distractors",
        "mixed",
        "same_document",
        "allow_fewer",
        "gold_at",
        "without_gold",
    ),
    "retrieved": ("k",),
    "given": ("gold_at", "without_gold"),
}


def condition(config: Config, name: str) -> EvaluationConfig:
    """Returns the evaluation settings of the condition `name`. Raises ConfigError for an invalid name or change."""
    if not is_file_name(name):
        raise ConfigError(
            f"evaluation.conditions: got {name!r}; the name is used in file names; use only letters, digits and . _ + -"
        )
    return _with_changes(config.evaluation, config.evaluation.conditions[name], f"evaluation.conditions.{name}")


def validation(config: Config) -> EvaluationConfig:
    """Returns the evaluation settings for validation questions. Raises ConfigError for invalid selection.changes."""
    changed = _with_changes(config.evaluation, config.selection.changes, "selection.changes")
    # allow_fewer: as in the validation rows of training, whose pool may be small; the audit counts such contexts
    return replace(changed, split="validation", max_items=config.selection.max_items, allow_fewer=True)


def _with_changes(evaluation: EvaluationConfig, changes: dict[str, object], place: str) -> EvaluationConfig:
    allowed = ("context", *dict.fromkeys(key for keys in _EFFECTIVE.values() for key in keys))
    for key in changes:
        if key not in allowed:
            raise ConfigError(f"{place}: got {key!r}; {suggest(key, allowed)}")
    values = asdict(evaluation) | changes
    try:
        changed: EvaluationConfig = TypeAdapter(EvaluationConfig).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError(f"{place}: {explained(error, ('evaluation',))[0]}") from None
    for key in changes:
        if key not in ("context", *_EFFECTIVE[changed.context]):
            raise ConfigError(
                f"{place}: got {key!r}, which has no effect with context={changed.context}; "
                f"use one of {', '.join(_EFFECTIVE[changed.context])}"
            )
    return changed
