"""The settings that tests compose are those that Hydra composes for the command line."""

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from raft_exp.pipeline.config import conf_dir
from tests.helpers import composing

OVERRIDES = [
    (),
    ("seed=9", "+x=${seed}"),
    ("+experiment=quickstart", "dataset.p=0.5", "model=tiny", "prompt.task='a, b'"),
    ("dataset.p=", "+experiment=[real,real_full]", "evaluation.arms=[raft]", "++evaluation.conditions.k0.x=1"),
    ("~evaluation.primary", "trainer=cpu", "trainer=gpu", "hydra.job.name=x"),
    ("nothing.x=1",),
    ("model=nothing",),
    ("+experiment@foo=quickstart",),
    ("seed=1,2",),
    ("~trainer",),
    ("a b",),
]


def by_hydra(overrides):
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return OmegaConf.to_container(hydra_compose("config", overrides=list(overrides)), resolve=True)


def result(compose, overrides):
    try:
        return compose(overrides)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("overrides", OVERRIDES)
def test_a_composition_in_two_steps_is_that_of_hydra(overrides):
    composed = result(lambda words: composing._composed(conf_dir(), words), overrides)
    assert composed == result(by_hydra, overrides)
