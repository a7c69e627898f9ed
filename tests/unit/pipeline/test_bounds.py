"""A number out of bounds is refused in one line that names the setting, its value, and a value that is accepted."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from raft_exp.apps import arguments
from raft_exp.apps.sweep import objectives
from raft_exp.core.errors import ConfigError
from raft_exp.core.schema import Positive, PositiveFloat, Share, config_dataclass
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.config_errors import explained
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose

VALUES = compose("corpus=documents", "corpus.path=.", "teacher=openai", "retriever=hybrid")
BOUND = re.compile(r"; must be .*(less|greater) than (or equal to )?-?\d")
REMEDY = re.compile(r"; set (?P<name>[\w.]+)(?:=(?P<value>\S+) or a (?:larger|smaller) value| to a number .*)$")


def numbers(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The place of each number."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from numbers(value, (*above, name))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield (*above, name)


def problems(place: tuple[str, ...], value: float) -> list[str]:
    """The messages about one changed setting. Rules that combine settings are not checked."""
    values = deepcopy(VALUES)
    group = values
    for name in place[:-1]:
        group = group[name]
    group[place[-1]] = value
    try:
        TypeAdapter(Config).validate_python(values, strict=False)
    except ValidationError as error:
        return [
            line for line in explained(error) if re.search(r"; must be .*(less|greater) than (or equal to )?-?\d", line)
        ]
    return []


@given(st.sampled_from(sorted(numbers(VALUES))), st.integers(-(10**6), -1) | st.integers(2, 10**12))
def test_every_refused_number_names_a_value_that_is_accepted(place, value):
    name = ".".join(place)
    for message in problems(place, value):
        assert message.startswith(f"{name}: got {value}; must be ")
        remedy = REMEDY.search(message)
        assert remedy, message
        assert remedy["name"] == name
        if remedy["value"]:
            assert not problems(place, float(remedy["value"]))


def test_the_bounds_of_shares_are_among_them():
    (message,) = problems(("dataset", "refuse_share"), 1.5)
    assert message.endswith("set dataset.refuse_share=1 or a smaller value")


@pytest.mark.parametrize(
    ("overrides", "remedy"),
    [
        ("+evaluation.conditions={k0:{num_distractors:-1}}", "set evaluation.conditions.k0.num_distractors=0 or a lar"),
        ("+arms.sft.trainer.learning_rate=-1", "set arms.sft.trainer.learning_rate to a number above 0"),
        ("selection.learning_rates=[-1]", "set each item of selection.learning_rates to a number above 0"),
        ("dataset.distractors=mixed dataset.mixed={random:-1}", "set dataset.mixed.random=0 or a larger value"),
        ("model.max_new_tokens=5000", "set a smaller model.max_new_tokens, or a larger model.max_length"),
    ],
)
def test_the_remedy_is_written_as_the_user_writes_it(overrides, remedy):
    with pytest.raises(ConfigError, match=re.escape(remedy)):
        parse(compose(*overrides.split()))


@config_dataclass
class Trials:
    """Settings with bounds, of a command or a sweeper."""

    trials: Positive = 1
    share: Share = 0.5
    rate: PositiveFloat = 1.0


def test_commands_and_sweepers_name_it_too():
    with pytest.raises(ConfigError, match=r"^share: got 7; .*; set share=1 or a smaller value$"):
        arguments.settings(Trials, ["share=7"])
    with pytest.raises(ConfigError, match=r"^hydra\.sweeper\.rate: got 0; .*; set hydra\.sweeper\.rate to a number ab"):
        objectives.parsed(Trials, {"rate": 0})


def test_other_corpora_and_experiments_are_told_apart():
    with pytest.raises(ConfigError, match=r"'x', which is no corpus; known: .*hotpotqa.*; or name an experiment, .*"):
        parse(compose("evaluation.transfer=[x]"))
