"""What is varied, read from overrides in Hydra's syntax."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from raft_exp.apps.sweep.space import Choices, Interval, grid, size, split, with_params
from raft_exp.core.errors import ConfigError


def space(*overrides):
    return split(OverridesParser.create().parse_overrides(list(overrides)))


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ("0.4,0.6", Choices(("0.4", "0.6"))),
        ("choice(0.4,0.6)", Choices(("0.4", "0.6"))),
        ("a,a,b", Choices(("a", "b"))),
        ("all-linear,[q_proj,v_proj]", Choices(("all-linear", "[q_proj,v_proj]"))),
        ("'x y',b", Choices(("'x y'", "b"))),
        ("range(1,8,3)", Choices(("1", "4", "7"))),
        ("interval(0,1)", Interval(0.0, 1.0, whole=False, log=False)),
        ("tag(log,interval(1e-5,1e-3))", Interval(1e-5, 1e-3, whole=False, log=True)),
        ("tag(log,int(interval(4,64)))", Interval(4, 64, whole=True, log=True)),
    ],
)
def test_hydras_own_syntax(given, part):
    assert space("seed=3", f"lora.r={given}", "~a.b") == (["seed=3", "~a.b"], {"lora.r": part})


def test_the_command_line_has_the_last_word():
    params = {"dataset.p": "0.4,0.6", "seed": "1,2"}
    fixed, searched = space(*with_params(["seed=5", "dataset.p=0.1,0.2"], params))
    assert fixed == ["seed=5"]
    assert searched == {"dataset.p": Choices(("0.1", "0.2"))}


def test_an_ablation_brings_its_studies_unless_one_is_named():
    params = {"+experiment": "[hotpotqa,paper/p_sweep],[pubmedqa,paper/p_sweep]", "dataset.p": "0.4,1"}
    alone = with_params(["+experiment=paper/p_sweep", "seed=1"], params)
    assert alone == [f"+experiment={params['+experiment']}", "dataset.p=0.4,1", "seed=1"]
    named = with_params(["+experiment=[quickstart,paper/p_sweep]"], params)
    assert named == ["+experiment=[quickstart,paper/p_sweep]", "dataset.p=0.4,1"]


@pytest.mark.parametrize("given", ["a=interval(2,1)", "a=tag(log,interval(0,1))", "a=interval(1,1)"])
def test_an_interval_that_cannot_be_is_refused(given):
    with pytest.raises(ConfigError, match=r"a: got .*the first number must be less"):
        space(given)


def test_all_points_of_choices():
    _, searched = space("a=1,2", "b=x,y,z")
    assert size(searched) == 6
    points = list(grid(searched))
    assert len({tuple(point.items()) for point in points}) == 6
    assert points[:2] == [{"a": "1", "b": "x"}, {"a": "1", "b": "y"}]
    assert size(space("a=1,2", "b=interval(0,1)")[1]) is None
