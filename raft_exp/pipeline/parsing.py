"""Builds the configuration of a study from YAML values, and checks it."""

import json
from collections.abc import Mapping
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from raft_exp.core.errors import ConfigError
from raft_exp.evaluation.judge.config import dated as dated_judge
from raft_exp.pipeline import transfer_settings
from raft_exp.pipeline.arm_settings import arm_dataset, arm_lora, arm_trainer
from raft_exp.pipeline.conditions import condition, validation
from raft_exp.pipeline.config import Config, primary_of
from raft_exp.pipeline.config_checks import check
from raft_exp.pipeline.config_errors import explained
from raft_exp.pipeline.remote import with_local_store
from raft_exp.teachers.model import dated


def parse(values: Mapping[str, object]) -> Config:
    """Builds the config from resolved YAML values. Raises ConfigError for an invalid value or combination."""
    values = with_local_store(values)
    try:
        # pydantic's strict mode accepts a mapping as a nested dataclass only in JSON
        config = TypeAdapter(Config).validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError("; ".join(explained(error)[:3])) from None
    check(config)
    for name, arm in config.arms.items():
        arm_dataset(config, name, arm)
        arm_trainer(config, name)
        arm_lora(config, name)
    for name in config.evaluation.conditions:
        condition(config, name)
    if config.selection.on or config.evaluation.prompts == "auto":
        validation(config)
    primary_of(config)
    transfer_settings.check(config)
    return _dated(config)


def _dated(config: Config) -> Config:
    """Returns the config with `prompt.date` as the date in the chat templates of its models."""
    date, judge = config.prompt.date, config.evaluation.judge
    if judge is not None:
        config = replace(config, evaluation=replace(config.evaluation, judge=dated_judge(judge, date)))
    return replace(config, model=replace(config.model, date=date), teacher=dated(config.teacher, date))
