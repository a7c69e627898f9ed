"""The evaluation settings of a condition, and of the validation questions on which a study chooses settings."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

from pydantic import TypeAdapter, ValidationError

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.evaluation.config import EvaluationConfig
from raft_exp.pipeline.config import Config, is_file_name
from raft_exp.pipeline.config_errors import explained

# The settings that have an effect on the test set, by value of `context`.
_EFFECTIVE = {
    "gold_and_distractors": (
        "num_distractors",
        "distractors",
        "mixed",
        "same_document",
        "allow_fewer",
        "gold_at",
        "without_gold",
        "conflict",
        "allow_cut",
    ),
    "retrieved": ("k", "allow_cut"),
    "given": ("gold_at", "without_gold", "conflict", "allow_cut"),
}


def condition(config: Config, name: str) -> EvaluationConfig:
    """Returns the evaluation settings of the condition `name`. Raises ConfigError for an invalid name or change."""
    if not is_file_name(name):
        raise ConfigError(
            f"evaluation.conditions: got {name!r}; the name is used in file names; use only letters, digits and . _ + -"
        )
    return _with_changes(config.evaluation, config.evaluation.conditions[name], f"evaluation.conditions.{name}")


def without_gold(config: Config) -> dict[str, str]:
    """Returns for each condition without gold the name of the test with gold and otherwise equal contexts.

    The name is "test" for the study's own test, or the name of another condition; "" if no such test exists. The place
    of the gold passages may differ.
    """
    tests = {"test": config.evaluation, **{name: condition(config, name) for name in config.evaluation.conditions}}
    shown = {name: test for name, test in tests.items() if not (test.without_gold or test.conflict)}
    pairs = {}
    for name, test in tests.items():
        alike = (other for other, with_gold in shown.items() if _contexts(with_gold) == _contexts(test))
        if test.without_gold and name != "test":
            pairs[name] = next(alike, "")
    return pairs


def _contexts(evaluation: EvaluationConfig) -> tuple[object, ...]:
    """Returns the settings of the contexts, except for gold passages and false passages."""
    ignored = ("gold_at", "without_gold", "conflict")
    names = [name for name in _EFFECTIVE[evaluation.context] if name not in ignored]
    return (evaluation.context, *(getattr(evaluation, name) for name in names))


def validation(config: Config) -> EvaluationConfig:
    """Returns the evaluation settings for validation questions. Raises ConfigError for invalid selection.changes."""
    changed = _with_changes(config.evaluation, config.selection.changes, "selection.changes")
    # allow_fewer: few validation documents may give too few distractors; the audit counts the smaller contexts
    return replace(changed, split="validation", max_items=config.selection.max_items, allow_fewer=True)


def gold_alone(evaluation: EvaluationConfig) -> EvaluationConfig:
    """Returns the evaluation settings of arms with `context=gold`: each question has its gold passages alone."""
    return replace(
        evaluation,
        context="gold_and_distractors",
        num_distractors=0,
        distractors="random",
        mixed=None,
        same_document=False,
        allow_fewer=False,
        k=None,
        gold_at=None,
        without_gold=False,
        conflict=False,
    )


def checked(values: Mapping[str, object], place: str) -> EvaluationConfig:
    """Returns evaluation settings from their values. Raises ConfigError for an invalid value.

    `place`: the dotted name with which the message begins.
    """
    try:
        evaluation: EvaluationConfig = TypeAdapter(EvaluationConfig).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError(f"{place}: {explained(error, ('evaluation',), place)[0]}") from None
    return evaluation


def _with_changes(evaluation: EvaluationConfig, changes: dict[str, object], place: str) -> EvaluationConfig:
    allowed = ("context", *dict.fromkeys(key for keys in _EFFECTIVE.values() for key in keys))
    for key in changes:
        if key not in allowed:
            raise ConfigError(f"{place}: got {key!r}; {suggest(key, allowed)}")
    changed = checked(asdict(evaluation) | changes, place)
    for key in changes:
        if key not in ("context", *_EFFECTIVE[changed.context]):
            raise ConfigError(
                f"{place}: got {key!r}, which has no effect with context={changed.context}; "
                f"use one of {', '.join(_EFFECTIVE[changed.context])}"
            )
    return changed
